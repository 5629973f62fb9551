"""What is in a candidate, and what is known against it, on a running Fairway."""

from __future__ import annotations

import json

from ground import Ground, steps

RECORD = {
    "id": "OSV-2026-1",
    "summary": "it sinks",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "sailboat"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2.1"}]}],
        }
    ],
}
FILES = {
    "Dockerfile": "FROM busybox\nCOPY METADATA /x/sailboat-1.2.0.dist-info/METADATA\n",
    "METADATA": "Metadata-Version: 2.1\nName: sailboat\nVersion: 1.2.0\n",
}


def test_a_candidate_is_scanned_and_its_report_is_as_new_as_the_advisories(ground: Ground) -> None:
    repo = ground.repository("scanned")
    pipeline = steps(f"""
        steps:
        - name: image
          image: plugins/docker
          settings: {{repo: {repo.slug}, tags: one}}
        """)
    assert repo.build(pipeline, FILES).status == "passed"
    digest = repo.candidate()
    before = json.loads(ground.ok("scan", f"{repo.slug}:one", "-o", "json").out)
    assert before["digest"] == digest
    assert before["packages"] == 1
    assert before["knowledge"] == "unknown"
    records = ground.folder / "osv"
    records.mkdir()
    (records / "one.json").write_text(json.dumps(RECORD))
    ground.ok("scan", "import", str(records))
    shown = ground.ok("scan", digest).out
    assert "OSV-2026-1  sailboat 1.2.0" in shown
    assert "fixed in 1.2.1" in shown
    bill = json.loads(ground.ok("scan", digest, "--sbom").out)
    assert [one["purl"] for one in bill["components"]] == ["pkg:pypi/sailboat@1.2.0"]
    assert ground.run("scan", "nobody/nothing:latest").code == 5
