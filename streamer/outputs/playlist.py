"""Playlists: the small files by which players of the old school find a stream (.m3u, .pls). Pure."""

M3U_TYPE = "audio/x-mpegurl"
PLS_TYPE = "audio/x-scpls"


def m3u(url: str, name: str) -> str:
    """Extended M3U with one entry of unknown length. `url`: of the stream."""
    return f"#EXTM3U\n#EXTINF:-1,{_line(name)}\n{_line(url)}\n"


def pls(url: str, name: str) -> str:
    """PLS version 2 with one entry of unknown length."""
    return f"[playlist]\nNumberOfEntries=1\nFile1={_line(url)}\nTitle1={_line(name)}\nLength1=-1\nVersion=2\n"


def _line(text: str) -> str:
    """As one line, whatever was in it."""
    return "".join(c if c.isprintable() else " " for c in text)
