"""Camera addresses: few forms are accepted, all else is refused with a sentence that helps."""

from __future__ import annotations

import pytest

from cameras.sources.addresses import Address, parse_address
from cameras.sources.base import AddressError

HOSTILE = [
    ("rtsp", url)
    for url in (
        "",
        "cam",
        "rtsp:",
        "rtsp:/cam/live",
        "rtsp://",
        "rtsp:///live",
        "rtsp://:554/live",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "/etc/passwd",
        "concat:/etc/passwd|/etc/hosts",
        "concatf:/etc/passwd",
        "pipe:0",
        "exec:id",
        "fd:3",
        "subfile,,start,0,end,100,,:/etc/passwd",
        "data:text/plain;base64,QUJD",
        "crypto:file:///etc/passwd",
        "cache:http://cam/",
        "async:file:/etc/passwd",
        "tee:out.mp4",
        "md5:x",
        "lavfi:testsrc",
        "gopher://cam/",
        "ftp://cam/video.mp4",
        "tcp://cam:6379",
        "udp://239.0.0.1:1234",
        "unix:///run/docker.sock",
        "http://cam/live",
        "rtmp://cam/live",
        "javascript:alert(1)",
        "rtsp,timeout=1:rtsp://cam/",
        "rtsp+file://cam/",
        " rtsp://cam/",
        "rtsp://cam/ ",
        "rtsp://cam/a b",
        "rtsp://cam/\r\nX-Evil: 1",
        "rtsp://cam\n.example/",
        "rtsp://cam/\tlive",
        "rtsp://cam/\x00",
        "rtsp://cam/\x7f",
        "rtsp://cam/%0d%0aX-Evil:%201",
        "rtsp://cam/%00",
        "rtsp://cam/\u200blive",
        "rtsp://cam/\u2028live",
        "rtsp://cam\\@evil.example/",
        "rtsp://evil.example\\cam/",
        "rtsp://op:secret@cam/live",
        "rtsp://op@cam/live",
        "rtsp://@cam/live",
        "rtsp://cam%40evil.example/",
        "rtsp://cam#@evil.example/",
        "rtsp://cam/live#t=1",
        "rtsp://cam/a|b",
        "rtsp://cam/<script>",
        'rtsp://cam/"x',
        "rtsp://cam/%zz",
        "rtsp://cam/käse",
        "rtsp://cam/live?tcp",
        "rtsp://cam/live?a=1&udp",
        "rtsp://cam/live?multicast",
        "rtsp://cam/live?filter_src",
        "rtsp://cam:/live",
        "rtsp://cam:0/live",
        "rtsp://cam:65536/live",
        "rtsp://cam:-1/live",
        "rtsp://cam:554x/live",
        "rtsp://cam:５５４/live",
        "rtsp://cam:554:80/live",
        "rtsp://cam..example/",
        "rtsp://-cam.example/",
        "rtsp://cam_.example-/",
        "rtsp://ca*m/",
        "rtsp://cam,timeout=1/",
        "rtsp://" + "a" * 64 + "/",
        "rtsp://" + "a." * 130 + "a/",
        "rtsp://cam/" + "a" * 2048,
        "rtsp://2130706433/",
        "rtsp://0x7f000001/",
        "rtsp://0x7f.0.0.1/",
        "rtsp://0177.0.0.1/",
        "rtsp://127.1/",
        "rtsp://127.0.0.1/",
        "rtsp://127.0.0.1./",
        "rtsp://127。0。0。1/",
        "rtsp://１２７.0.0.1/",
        "rtsp://0.0.0.0/",
        "rtsp://169.254.169.254/latest/meta-data/",
        "rtsp://100.100.100.200/",
        "rtsp://224.0.0.1/",
        "rtsp://255.255.255.255/",
        "rtsp://localhost/",
        "rtsp://LOCALHOST./",
        "rtsp://cam.localhost/",
        "rtsp://[::1]/",
        "rtsp://[::]/",
        "rtsp://[::ffff:127.0.0.1]/",
        "rtsp://[::ffff:a9fe:a9fe]/",
        "rtsp://[64:ff9b::7f00:1]/",
        "rtsp://[2002:7f00:1::]/",
        "rtsp://[fe80::1]/",
        "rtsp://[fe80::1%eth0]/",
        "rtsp://[fd00:ec2::254]/",
        "rtsp://[ff02::1]/",
        "rtsp://[::1/",
        "rtsp://[]/",
        "rtsp://[cam]/",
        "rtsp://[fd00::20]x/",
        "rtsp://fd00::20/",
    )
] + [
    ("mjpeg", "rtsp://cam/"),
    ("mjpeg", "https:cam/"),
    ("snapshot", "file:///etc/passwd"),
    ("snapshot", "http://op:secret@cam/"),
    ("demo", "demo:"),
    ("demo", "demo:warehouse"),
    ("demo", "demo:conveyor/../x"),
    ("demo", "demo:conveyor?"),
    ("demo", "demo:conveyor?speed=9"),
    ("demo", "demo:conveyor?line=1&line=2"),
    ("demo", "demo:conveyor?line=0"),
    ("demo", "demo:conveyor?line=99999999"),
    ("demo", "demo:conveyor?line=１"),
    ("demo", "demo:conveyor?size=99999x99999"),
    ("demo", "demo:conveyor?size=641x361"),
    ("demo", "demo:conveyor?size=x"),
    ("demo", "http://cam/"),
    ("file", "/videos/dock.mp4"),
    ("device", "/dev/video0"),
    ("nothing", "rtsp://cam/"),
]


@pytest.mark.parametrize(("kind", "url"), HOSTILE)
def test_it_refuses_what_is_not_a_plain_camera_address(kind: str, url: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(kind, url)
    message = str(caught.value)
    assert message.endswith(".")
    assert "secret" not in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "file:etc",
        "dock.mp4",
        "/videos/../etc/passwd",
        "/dev/sda",
        "/proc/self/environ",
        "//host/share",
        "file:///a%00b",
        "concat:/a|/b",
    ],
)
def test_where_files_are_allowed_only_plain_paths_are(url: str) -> None:
    with pytest.raises(AddressError):
        parse_address("file", url, allow_file=True)


@pytest.mark.parametrize(
    "url",
    [
        "/dev/video",
        "/dev/video0,x",
        "/dev/../etc/passwd",
        "video0",
        "/dev/video99999",
        "v4l2:/dev/video0",
    ],
)
def test_where_devices_are_allowed_only_video_devices_are(url: str) -> None:
    with pytest.raises(AddressError):
        parse_address("device", url, allow_device=True)


@pytest.mark.parametrize(
    ("kind", "url", "host", "port", "path"),
    [
        ("rtsp", "rtsp://192.168.1.20", "192.168.1.20", 554, ""),
        (
            "rtsp",
            "rtsp://cam.local:8554/live/ch0?profile=1&res=hd",
            "cam.local",
            8554,
            "/live/ch0?profile=1&res=hd",
        ),
        ("rtsp", "RTSPS://Cam.Example/live", "cam.example", 322, "/live"),
        (
            "rtsp",
            "rtsp://cam_2.lan./user=op_channel=1_stream=0.sdp?real_stream",
            "cam_2.lan",
            554,
            "/user=op_channel=1_stream=0.sdp?real_stream",
        ),
        ("rtsp", "rtsp://[FD00:0::20]:554/s", "fd00::20", 554, "/s"),
        ("rtsp", "rtsp://bücher.example/", "xn--bcher-kva.example", 554, "/"),
        (
            "mjpeg",
            "https://10.0.0.7/axis-cgi/mjpg/video.cgi?camera=[1]",
            "10.0.0.7",
            443,
            "/axis-cgi/mjpg/video.cgi?camera=[1]",
        ),
        ("snapshot", "http://cam/snap%20shot.jpg", "cam", 80, "/snap%20shot.jpg"),
    ],
)
def test_it_takes_camera_addresses_apart(
    kind: str, url: str, host: str, port: int, path: str
) -> None:
    address = parse_address(kind, url)
    assert (address.host, address.port, address.path) == (host, port, path)
    assert parse_address(kind, address.url) == address


def test_it_reads_the_options_of_a_demo_address() -> None:
    address = parse_address("demo", "demo:conveyor?line=2&size=640x360")
    assert address.options == {"line": "2", "size": "640x360"}


def test_it_reads_paths_where_they_are_allowed() -> None:
    assert (
        parse_address("file", "file:///videos/my%20dock.mp4", allow_file=True).path
        == "/videos/my dock.mp4"
    )
    assert parse_address("file", "/videos/dock.mp4", allow_file=True).path == "/videos/dock.mp4"
    assert parse_address("device", "/dev/video0", allow_device=True).path == "/dev/video0"


def test_local_hosts_can_be_left_to_the_check_of_the_destination() -> None:
    assert parse_address("rtsp", "rtsp://127.0.0.1:8554/live", allow_local=True) == Address(
        "rtsp", "rtsp://127.0.0.1:8554/live", "rtsp", "127.0.0.1", 8554, "/live"
    )
