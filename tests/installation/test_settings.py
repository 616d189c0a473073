"""Settings: read once, refused at start when wrong, with the reason."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from oa_server.settings import SettingsError, load, save


def test_later_sources_win(tmp_path: Path) -> None:
    """The file overrides the defaults, the environment the file, and the command line both."""
    file = tmp_path / "settings.toml"
    file.write_text("port = 8081\nidle_minutes = 20\nsession_hours = 10\n")
    settings = load(environ={"OA_SETTINGS": str(file), "OA_IDLE_MINUTES": "25"}, session_hours=9)
    assert (settings.port, settings.idle_minutes, settings.session_hours) == (8081, 25, 9)


def test_lists_in_the_environment() -> None:
    """Lists and tables stand in the environment as in the file; what cannot be read is named."""
    settings = load(environ={"OA_FONT_DIRS": '["/a", "/b"]', "OA_SITE_FONTS": '{ heiti = "方正黑体" }'})
    assert settings.font_dirs == (Path("/a"), Path("/b"))
    assert settings.site_fonts == {"heiti": "方正黑体"}
    with pytest.raises(SettingsError, match="OA_FONT_DIRS"):
        load(environ={"OA_FONT_DIRS": "/a:/b"})


def test_saved_settings_are_the_same(tmp_path: Path) -> None:
    """What is saved is read back as it was, and nobody else may read the file."""
    settings = load(
        environ={},
        data_dir=tmp_path / "数据",
        database_url="postgres://oa:geheim@127.0.0.1/oa",
        font_dirs=[str(tmp_path / "a"), str(tmp_path / "b")],
        site_fonts={"fangsong": "FZFangSong-Z02", "xiaobiaosong": "方正小标宋简体"},
        demo=True,
    )
    save(settings, tmp_path / "settings.toml")
    assert load(tmp_path / "settings.toml", environ={}) == settings
    assert stat.S_IMODE((tmp_path / "settings.toml").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"port": 0}, "port"),
        ({"idle_minutes": "soon"}, "idle_minutes"),
        ({"session_hours": 13}, "session_hours"),
        ({"line_pitch": 28.2}, "line_pitch"),
        ({"line_pitch": 29.7}, "line_pitch"),
        ({"line_pitch": "nan"}, "line_pitch"),
        ({"colophon_on_even_page": "sometimes"}, "colophon_on_even_page"),
        ({"colour": "red"}, "colour"),
        ({"classification_ceiling": "top"}, "classification_ceiling"),
        ({"origin": "oa.example.com"}, "origin"),
        ({"origin": "https://oa.example.com/path"}, "origin"),
        ({"origin": "http://oa.example.com"}, "origin：http"),
        ({"host": "0.0.0.0"}, "host"),
        ({"demo": True, "origin": "https://oa.example.com"}, "demo"),
        ({"bus_url": "kafka://127.0.0.1"}, "bus_url"),
        ({"jobs": "nobody"}, "jobs：请用"),
        ({"jobs": "worker"}, "jobs：SQLite"),
        ({"jobs": "worker", "database_url": "postgres://oa@127.0.0.1/oa"}, "bus_url：local:"),
        ({"database_url": "mysql://127.0.0.1/oa"}, "database_url"),
        ({"database_url": "postgres://oa@10.0.0.5,10.0.0.6/oa"}, "database_url：写了几台主机"),
        ({"database_url": "postgres://oa@10.0.0.5,10.0.0.6/oa?target_session_attrs=any"}, "database_url"),
        ({"object_store_url": "ftp://127.0.0.1/oa"}, "object_store_url"),
        ({"object_store_url": "s3://key:secret@127.0.0.1:8333/Official_Documents"}, "object_store_url"),
        ({"object_store_url": "s3://key:secret@127.0.0.1:8333/"}, "object_store_url"),
        ({"administrator_networks": ["10.1.2.3/24"]}, "administrator_networks"),
        ({"administrator_networks": ["management"]}, "administrator_networks"),
        *(
            ({"scanner_url": url}, "scanner_url")
            for url in (
                "/run/clamav/clamd.ctl",
                "clamd:",
                "clamd:///",
                "clamd://host",
                "clamd://host:3310/path",
                "clamd://host:port",
                "clamd://user:secret@host:3310",
                "icap://host:1344",
            )
        ),
    ],
)
def test_wrong_setting_is_named(values: dict[str, Any], named: str) -> None:
    """A wrong or unsafe setting is refused at start by its name."""
    with pytest.raises(SettingsError, match=named):
        load(environ={}, **values)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """A file that is missing or no TOML is refused by its name."""
    broken = tmp_path / "settings.toml"
    for path in (tmp_path / "nowhere.toml", broken):
        broken.write_text("port = = 1")
        with pytest.raises(SettingsError, match=path.name):
            load(path, environ={})


def test_a_socket_may_stand_for_the_address() -> None:
    """Behind nginx the server listens on a unix socket, whatever its host says, and officials come over TLS."""
    settings = load(environ={}, socket="/run/oa/oa.sock", host="10.0.0.1", origin="https://oa.example.com")
    assert settings.secure
