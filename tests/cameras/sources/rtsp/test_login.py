"""Log-ins to RTSP cameras, by the examples of RFC 7616."""

from __future__ import annotations

import secrets

import pytest

from cameras.sources.base import SourceError
from cameras.sources.rtsp.login import Login
from tests.cameras.sources.opened import failure, settings
from tests.servers.rtsp_script import Asked, Script, ScriptedCamera

MD5 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5,'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqM'
    'AFRtzCUYo5tdS"'
)
SHA256 = MD5.replace("algorithm=MD5", "algorithm=SHA-256")
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
MD5_PROOF = "8ca523f5e9506fed4657c9700eebdbec"
SHA256_PROOF = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


@pytest.fixture
def mufasa(monkeypatch: pytest.MonkeyPatch) -> Login:
    monkeypatch.setattr(secrets, "token_hex", lambda size: CNONCE)
    return Login("Mufasa", "Circle of Life")


@pytest.mark.parametrize(
    ("headers", "proof"),
    [
        ([MD5], MD5_PROOF),
        ([SHA256], SHA256_PROOF),
        ([SHA256, MD5], SHA256_PROOF),
        ([f"{MD5}, {SHA256}"], MD5_PROOF),
        ([MD5.replace("MD5", "TIGER"), SHA256], SHA256_PROOF),
        (['Basic realm="x"', MD5.replace("Digest", "DIGEST").replace("realm", "Realm")], MD5_PROOF),
    ],
)
def test_digest(headers: list[str], proof: str, mufasa: Login) -> None:
    assert mufasa.challenge(headers)
    header = mufasa.proof("GET", "/dir/index.html")
    assert f'response="{proof}"' in header
    assert "nc=00000001" in header


def test_digest_as_old_cameras_ask_for_it() -> None:
    login = Login("admin", 'pa"ss')
    assert login.challenge(['Digest realm="IP Camera", nonce="abc"'])
    header = login.proof("DESCRIBE", "rtsp://10.0.0.7/live")
    assert "qop" not in header
    assert "algorithm" not in header


def test_basic_and_what_is_not_known() -> None:
    login = Login("admin", "p")
    assert login.challenge(['Basic realm="x"'])
    assert login.proof("DESCRIBE", "/") == "Basic YWRtaW46cA=="
    assert not login.challenge(["Negotiate"])
    assert not Login("", "").challenge([MD5])


def test_a_line_break_in_the_user_name_reaches_no_header() -> None:
    login = Login("admin\r\nX: y", "p")
    assert login.challenge([MD5])
    with pytest.raises(SourceError, match="holds a character that RTSP cannot carry"):
        login.proof("DESCRIBE", "/")


def test_a_nonce_that_has_grown_old_is_replaced_once() -> None:
    def answers(asked: Asked) -> str:
        return (
            f'401 No\r\nWWW-Authenticate: Digest realm="r", nonce="{asked.number}", stale=true\r\n'
        )

    with ScriptedCamera(Script(answers)) as camera:
        assert "refuses the user name" in failure(settings("rtsp", camera.url, "u", "p")).detail
        assert len(camera.script.asked) == 3
        assert [asked.method for asked in camera.script.asked] == ["OPTIONS"] * 3
