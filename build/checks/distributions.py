"""Which distribution brings an import package, where the two have different names."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from build.locking.formats import wanted_file
from build.model import Spec

BUNDLED = frozenset(
    "awslambdaric boto3 botocore dateutil jmespath runtime_client s3transfer simplejson six snapshot_restore_py "
    "urllib3".split()
)
"""Top-level modules of the distributions in `build.project.profiles.BUNDLED`, which every runtime brings."""

_BRINGS: Mapping[str, str] = dict(
    pair.split("=")
    for pair in """
    attr=attrs aws_cdk=aws-cdk-lib bs4=beautifulsoup4 bson=pymongo Crypto=pycryptodome Cryptodome=pycryptodomex
    cv2=opencv-python-headless dateutil=python-dateutil dns=dnspython docx=python-docx dotenv=python-dotenv
    faiss=faiss-cpu fitz=PyMuPDF git=GitPython github=PyGithub gitlab=python-gitlab google.protobuf=protobuf
    googleapiclient=google-api-python-client gridfs=pymongo jose=python-jose jwt=PyJWT kafka=kafka-python
    ldap=python-ldap magic=python-magic multipart=python-multipart MySQLdb=mysqlclient nacl=PyNaCl OpenSSL=pyOpenSSL
    paho=paho-mqtt PIL=pillow pkg_resources=setuptools pptx=python-pptx psycopg2=psycopg2-binary
    pythonjsonlogger=python-json-logger ruamel=ruamel.yaml serial=pyserial skimage=scikit-image sklearn=scikit-learn
    slugify=python-slugify snappy=python-snappy snowflake=snowflake-connector-python socks=PySocks
    telegram=python-telegram-bot usb=pyusb websocket=websocket-client yaml=PyYAML zmq=pyzmq
    """.split()
)
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)


def brings(module: str) -> str | None:
    """Return the distribution that is known to bring ``module`` (dotted), if its name tells something else."""
    if module.startswith("google.cloud."):
        return module.replace(".", "-").replace("_", "-")
    return _BRINGS.get(module) or _BRINGS.get(module.partition(".")[0])


def files_about_distributions(folder: Path) -> list[Path]:
    """Return the files of ``folder`` from which findings say where a distribution is asked for, or is to be."""
    patterns = ("Pipfile*", "pyproject.toml", "requirements*", "*.lock")
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def wanted_in(spec: Spec) -> str:
    """Return the file to edit for other distributions, as messages name it: ``functions/orders/requirements.in``."""
    return f"{spec.identity}/{wanted_file(spec.folder)}"


def in_dev_group(distribution: str, folder: Path) -> str | None:
    """Say which file of ``folder`` wants ``distribution`` for development only; None if none does."""
    wanted = canonicalize_name(distribution)
    for file, names in _development(folder):
        if wanted in map(canonicalize_name, names):
            return file
    return None


def _development(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for path in sorted(folder.glob("requirements*dev*.*")):
        yield path.name, _NAME.findall(path.read_text("utf-8", "replace"))
    poetry = _table(folder / "pyproject.toml", "tool", "poetry")
    named = [*poetry.get("group", {}).values(), {"dependencies": poetry.get("dev-dependencies", {})}]
    yield "pyproject.toml", [name for group in named for name in group.get("dependencies", ())]
    yield "Pipfile", list(_table(folder / "Pipfile", "dev-packages"))
    lines = [*_table(folder / "pyproject.toml", "dependency-groups").values()]
    lines.append(_table(folder / "pyproject.toml", "tool", "uv").get("dev-dependencies", ()))
    texts = "\n".join(line for group in lines for line in group if isinstance(line, str))
    yield "pyproject.toml", _NAME.findall(texts)


def _table(path: Path, *keys: str) -> dict[str, Any]:
    """Return a table of a TOML file; empty where there is none. What is wrong with the file, the lock tells."""
    try:
        found: Any = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
