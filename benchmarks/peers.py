"""The peers, each as its own documentation would have it built, and as fast as that allows."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.entrants import Peer, Site
from benchmarks.measure import answered
from benchmarks.workloads import RUNTIME, Function, Workload

_EACH = "printf '%s\\n' functions/* | xargs -P \"$CORES\" -I{} sh -ec 'cd {} && "
"""Begins a script that runs for every function, on all cores, where the tool itself knows only one function."""

PIP_ZIP = Peer(
    key="pip",
    name="pip + zip",
    pins=("pip==26.3",),
    programs=("zip",),
    # As https://docs.aws.amazon.com/lambda/latest/dg/python-package.html teaches it, for wheels with compiled code.
    script="""
for each in functions/*; do (
  cd "$each"; mkdir -p package
  if [ -s requirements.txt ]; then
    python -m pip install --quiet --target package --upgrade --platform "manylinux2014_$MACHINE" \\
      --implementation cp --python-version "$PYTHON" --only-binary=:all: -r requirements.txt
    (cd package && zip -qr ../package.zip .)
  fi
  zip -q package.zip app.py
) done
""",
    edited_script='cd "functions/$EDITED" && zip -q package.zip app.py',
)

UV_ZIP = Peer(
    key="uv",
    name="uv + zip",
    pins=("uv==0.13.9",),
    programs=("zip",),
    # As https://docs.astral.sh/uv/guides/integration/aws-lambda/ has it, for all functions at once.
    script=_EACH
    + """
if [ -s requirements.txt ]; then
  uv pip install --quiet --no-installer-metadata --no-compile-bytecode --only-binary :all: \\
    --python-platform "$MACHINE-manylinux2014" --python-version "$PYTHON" --target packages -r requirements.txt
  (cd packages && zip -qr ../package.zip .)
fi
zip -q package.zip app.py'
""",
    edited_script='cd "functions/$EDITED" && zip -q package.zip app.py',
)


def _template(workload: Workload) -> dict[str, str]:
    resources = {
        _logical(function): {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": f"functions/{function.name}",
                "Handler": "app.handler",
                "Runtime": f"python{RUNTIME}",
                "Architectures": [workload.architecture],
            },
        }
        for function in workload.functions
    }
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": resources,
    }
    return {"template.yaml": json.dumps(template, indent=1)}  # JSON is YAML


def _logical(function: Function) -> str:
    return "".join(word.title() for word in function.name.split("-"))


def _zipped_by_sam(site: Site, python: Path) -> dict[str, Path]:
    """Zip what `sam build` leaves as folders, with the function that `sam deploy` zips them with; not in its time."""
    zips = {function.name: site.folder / ".zips" / f"{function.name}.zip" for function in site.workload.functions}
    (site.folder / ".zips").mkdir(exist_ok=True)
    code = (
        "import json, sys\nfrom samcli.lib.package.utils import make_zip_with_lambda_permissions as make\n"
        "[make(name, folder) for name, folder in json.load(sys.stdin)]"
    )
    built = site.folder / ".aws-sam/build"
    order = [
        (str(zips[function.name].with_suffix("")), str(built / _logical(function)))
        for function in site.workload.functions
    ]
    answered([str(python), "-c", code], cwd=site.folder, stdin=json.dumps(order))
    return zips


SAM = Peer(
    key="sam",
    name="sam build",
    pins=("aws-sam-cli==1.170.0", "pip==26.3"),
    script="sam build --cached --parallel",
    project_files=_template,
    made=_zipped_by_sam,
)


def _chalice_files(function: Function, workload: Workload) -> dict[str, str]:
    config = {
        "version": "2.0",
        "app_name": function.name,
        "lambda_architecture": workload.architecture,
        "stages": {"dev": {}},
    }
    return {".chalice/config.json": json.dumps(config)}


def _chalice_source(function: Function, edits: int) -> str:
    return (
        f'from chalice import Chalice\n\nEDITS = {edits}\napp = Chalice(app_name="{function.name}")\n\n\n'
        f'@app.lambda_function()\ndef handler(event, context):\n    return {{"edits": EDITS, "event": event}}\n'
    )


def _packages_of_chalice(site: Site, _: Path) -> dict[str, Path]:
    return {f.name: site.folder / "functions" / f.name / "out/deployment.zip" for f in site.workload.functions}


CHALICE = Peer(
    key="chalice",
    name="Chalice",
    pins=("chalice==1.34.0", "pip==26.2.1"),  # it wants a pip older than 26.3
    script=_EACH + "chalice package out'",
    function_files=_chalice_files,
    source=_chalice_source,
    made=_packages_of_chalice,
)


def _zappa_files(function: Function, workload: Workload) -> dict[str, str]:
    settings = {
        "app_function": "app.handler",
        "runtime": f"python{RUNTIME}",
        "architecture": workload.architecture,
        "s3_bucket": "unused",
        "aws_region": "eu-central-1",
        "project_name": function.name,
    }
    return {"zappa_settings.json": json.dumps({"dev": settings})}


ZAPPA = Peer(
    key="zappa",
    name="Zappa",
    pins=("zappa==0.63.0", "pip==26.3"),
    script="cd functions/* && rm -f package.zip && zappa package dev --output package.zip",
    installs_workload=True,
    function_files=_zappa_files,
    only_one="packs the virtual environment it runs in: each function would need an environment of its own",
)


def _complete_platform(workload: Workload) -> dict[str, str]:
    """Describe the runtime as Pants does for pex."""
    from build.model import Architecture, Runtime, Target
    from build.project.profiles import profile_of

    runtime = Runtime.parse(f"python{RUNTIME}")
    profile = profile_of(Target(runtime=runtime, architecture=Architecture(workload.architecture)))
    tags = [str(tag) for tag in profile.tags]
    return {"platform.json": json.dumps({"marker_environment": dict(profile.markers), "compatible_tags": tags})}


PEX = Peer(
    key="pex",
    name="pex",
    pins=("pex==2.105.2", "pip==26.2.1"),
    # The two steps by which Pants makes a python_aws_lambda_function.
    script=_EACH
    + """
wanted=; [ ! -s requirements.txt ] || wanted="-r requirements.txt"
rm -rf app.pex package && mkdir -p src && cp app.py src/
pex $wanted -D src --complete-platform ../../platform.json --wheel --no-build --layout packed -o app.pex
pex3 venv create --dir package --force --layout flat-zipped --complete-platform ../../platform.json \\
  --pex-repository app.pex'
""",
    project_files=_complete_platform,
)

_BUILD_AND_PUSH = """
[ "$STATE" != cold ] || exit 0  # all it takes is here
b build $INSECURE $LAYERS --isolation chroot --format oci --timestamp 0 --pull=never --build-arg "BASE=$BASE" \\
  $VOLUMES --tag "$IMAGE" functions/*
b push $INSECURE "$IMAGE"
"""


def _dockerfile(*steps: str) -> Callable[[Function, Workload], Mapping[str, str]]:
    text = "\n".join(["ARG BASE", "FROM ${BASE}", *steps, "COPY app.py /var/task/", 'CMD ["app.handler"]', ""])
    return lambda _, __: {"Dockerfile": text}


BUILDAH_COPY = Peer(
    key="buildah-copy",
    name="buildah COPY",
    pins=("pip==26.3",),
    programs=("buildah",),
    # The same files as in Slipway's image, which lie ready.
    script="""
[ -d "$CACHES/package" ] || python -m zipfile -e "$ZIP" "$CACHES/package"
rm -rf "$CACHES/package/app.py" "$CACHES/package/__pycache__"
[ -d functions/*/package ] || cp -al "$CACHES/package" functions/*/
"""
    + _BUILD_AND_PUSH,
    function_files=_dockerfile("COPY package /var/task/"),
    is_for_images=True,
)

BUILDAH_PIP = Peer(
    key="buildah-pip",
    name="buildah RUN pip",
    pins=("pip==26.3",),
    programs=("buildah",),
    # Nothing is downloaded: the wheels and pip itself, which the base has not, are mounted.
    script="""
if [ ! -d "$CACHES/wheels" ]; then
  python -m pip download --quiet --only-binary=:all: -r functions/*/requirements.txt --dest "$CACHES/wheels"
  python -m compileall -q "$VIRTUAL_ENV/lib/python$PYTHON/site-packages/pip"
fi
VOLUMES="--volume $CACHES/wheels:/wheels:ro --volume $VIRTUAL_ENV/lib/python$PYTHON/site-packages:/pip:ro"
"""
    + _BUILD_AND_PUSH,
    function_files=_dockerfile(
        "COPY requirements.txt /tmp/",
        f"RUN PYTHONPATH=/pip python{RUNTIME} -m pip install --quiet --no-index --find-links /wheels --no-cache-dir "
        "--root-user-action ignore --target /var/task -r /tmp/requirements.txt",
    ),
    is_for_images=True,
)


def _with_layers(peer: Peer) -> Peer:
    """Return ``peer`` with the option by which buildah keeps what each step made; it does not by itself."""
    name, script = f"{peer.name} --layers", f"LAYERS=--layers\n{peer.script}"
    return replace(peer, key=f"{peer.key}-layers", name=name, script=script)


_BUILDAH = (BUILDAH_COPY, BUILDAH_PIP)
_ALL = (PIP_ZIP, UV_ZIP, SAM, CHALICE, ZAPPA, PEX, *_BUILDAH, *map(_with_layers, _BUILDAH))
PEERS = {peer.key: peer for peer in _ALL}
