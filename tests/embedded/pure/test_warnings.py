from sympozium_local.apiserver.gateway import MAX_WARNINGS, MAX_WARNINGS_CHARS, bearable


def test_no_answer_has_more_warnings_than_clients_take() -> None:
    many = bearable([f'unknown field "spec.k{number}"' for number in range(2000)])
    assert len(many) == MAX_WARNINGS
    long = bearable(["x" * 100_000] * 10)
    assert sum(map(len, long)) == MAX_WARNINGS_CHARS


def test_a_warning_is_one_line() -> None:
    assert bearable(["a\r\nSet-Cookie: b\0"]) == ["a  Set-Cookie: b "]
