"""What the reference registry (CNCF distribution v3.1) lacks or does otherwise.

By the name of a test, or of one of its cases. Each entry is a strict expected failure: when the
reference comes to do it, the suite fails until the entry goes.
"""

_REFERRERS = "it has no referrers API"
_SCHEMA = "it answers 500 to JSON that is no manifest of schema 2"
_SHA256_ONLY = "it stores under sha256, whatever digest was asked for, and answers with that"

REFERENCE_LACKS: dict[str, str] = {
    "test_a_digest_without_referrers_has_an_empty_list": _REFERRERS,
    "test_referrers_are_listed_with_type_and_annotations": _REFERRERS,
    "test_referrers_of_a_digest_that_is_not_here_are_listed": _REFERRERS,
    "test_referrers_are_filtered": _REFERRERS,
    "test_a_subject_is_acknowledged": _REFERRERS,
    "test_a_manifest_is_sent_to_who_accepts_it[reference-*/*]": (
        "it sends OCI manifests only where the Accept header names them"
    ),
    "test_a_blob_is_pushed_by_one_post": "it falls back to 202, as the specification allows",
    "test_a_malformed_content_range_is_refused": "it answers 500",
    "test_digests_of_every_algorithm_are_taken[reference-sha512-at once]": _SHA256_ONLY,
    "test_digests_of_every_algorithm_are_taken[reference-sha512-in chunks]": _SHA256_ONLY,
    "test_a_blake3_digest_is_taken": "it does not know blake3",
    "test_a_manifest_that_is_none_is_refused[reference-null]": _SCHEMA,
    "test_a_manifest_that_is_none_is_refused[reference-no version]": _SCHEMA,
    "test_a_manifest_that_is_none_is_refused[reference-schema 1]": _SCHEMA,
}
