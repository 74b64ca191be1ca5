"""Top-level modules of the standard library, by minor version.

3.10 to 3.13: ``sys.stdlib_module_names`` of their interpreters. 3.14: the new modules in
https://docs.python.org/3.14/whatsnew/3.14.html, which removes none. Left out are modules that only Windows or macOS
have, and private ones that came or went.
"""

from collections.abc import Mapping
from functools import cache

_ALWAYS = """
__future__ _abc _aix_support _ast _asyncio _bisect _blake2 _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022
_codecs_jp _codecs_kr _codecs_tw _collections _collections_abc _compat_pickle _contextvars _csv _ctypes _curses
_curses_panel _datetime _dbm _decimal _elementtree _frozen_importlib _frozen_importlib_external _functools _gdbm
_hashlib _heapq _imp _io _json _locale _lsprof _lzma _markupbase _md5 _multibytecodec _multiprocessing _opcode
_operator _osx_support _pickle _posixshmem _posixsubprocess _py_abc _pydecimal _pyio _queue _random _sha1 _sha3
_signal _sitebuiltins _socket _sqlite3 _sre _ssl _stat _statistics _string _strptime _struct _symtable _thread
_threading_local _tkinter _tracemalloc _uuid _warnings _weakref _weakrefset _zoneinfo abc antigravity argparse array
ast asyncio atexit base64 bdb binascii bisect builtins bz2 cProfile calendar cmath cmd code codecs codeop
collections colorsys compileall concurrent configparser contextlib contextvars copy copyreg csv ctypes curses
dataclasses datetime dbm decimal difflib dis doctest email encodings ensurepip enum errno faulthandler fcntl filecmp
fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib
heapq hmac html http idlelib imaplib importlib inspect io ipaddress itertools json keyword linecache locale logging
lzma mailbox marshal math mimetypes mmap modulefinder multiprocessing netrc ntpath nturl2path numbers opcode
operator optparse os pathlib pdb pickle pickletools pkgutil platform plistlib poplib posix posixpath pprint profile
pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource
rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtplib socket socketserver sqlite3
sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess symtable sys sysconfig
syslog tabnanny tarfile tempfile termios textwrap this threading time timeit tkinter token tokenize trace traceback
tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uuid venv warnings wave weakref
webbrowser wsgiref xml xmlrpc zipapp zipfile zipimport zlib zoneinfo
"""
"""In every version."""
_REMOVED: Mapping[int, str] = {
    11: "binhex",
    12: "asynchat asyncore distutils imp smtpd",
    13: "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap nis nntplib ossaudiodev pipes sndhdr spwd "
    "sunau telnetlib uu xdrlib",
}
"""Minor version to the modules of 3.10 that it no longer has."""
_ADDED: Mapping[int, str] = {11: "tomllib", 14: "annotationlib compression"}

SUCCESSORS: Mapping[str, str] = {
    "asynchat": "pyasynchat",
    "asyncore": "pyasyncore",
    "audioop": "audioop-lts",
    "cgi": "legacy-cgi",
    "cgitb": "legacy-cgi",
    "distutils": "setuptools",
    **{
        name: f"standard-{name}"
        for name in "aifc chunk crypt imghdr mailcap nntplib pipes smtpd sndhdr sunau telnetlib uu xdrlib".split()
    },
}
"""Removed module to a distribution that brings it back under the same name."""


def removed_in(name: str) -> int | None:
    """Return the minor version that no longer has the module ``name``; None if it has been in all or in none."""
    return next((minor for minor, names in _REMOVED.items() if name in names.split()), None)


def added_in(name: str) -> int | None:
    """Return the minor version that brought the module ``name``; None if 3.10 had it, or none has."""
    return next((minor for minor, names in _ADDED.items() if name in names.split()), None)


@cache
def stdlib_of(minor: int) -> frozenset[str]:
    """Return the top-level modules of Python 3.``minor``."""
    removed = {name for since, names in _REMOVED.items() for name in names.split() if since > minor}
    added = {name for since, names in _ADDED.items() for name in names.split() if since <= minor}
    return frozenset({*_ALWAYS.split(), *removed, *added})
