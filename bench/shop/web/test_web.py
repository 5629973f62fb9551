import web


def test_a_visitor_sees_the_version() -> None:
    assert web.page() == f"version {web.VERSION}"
