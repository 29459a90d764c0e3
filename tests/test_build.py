"""The sdist builds and runs with a compiler, without one and with `SKLEARN_TOYNN_PURE=1`."""

import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
# builds and fresh environments must not see the tree or the settings of this run
HIDDEN = {"PYTHONPATH", "SKLEARN_TOYNN_KERNELS", "SKLEARN_TOYNN_PURE"}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in HIDDEN}


def run(*command, cwd, check=True, **variables):
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=ENVIRONMENT | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


def copy_tree(folder):
    """Copy the tree, because builds write to it."""
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.so", "*.egg-info", "__pycache__")
    return shutil.copytree(ROOT, folder / "tree", ignore=ignored)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    copy_tree(folder)
    run(sys.executable, "-m", "build", "--sdist", "--outdir", folder, "tree", cwd=folder)
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.mark.parametrize(
    ("variables", "kernels"),
    [
        ({"SKLEARN_TOYNN_KERNELS": "compiled"}, "compiled"),
        ({"CC": "false"}, "numpy"),
        ({"SKLEARN_TOYNN_PURE": "1"}, "numpy"),
    ],
    ids=["compiler", "no compiler", "pure"],
)
def test_the_sdist_builds_and_runs(sdist, tmp_path, variables, kernels):
    wheel_command = [sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "-w", tmp_path]
    log = run(*wheel_command, sdist, cwd=tmp_path, **variables)
    assert ('_compiled" failed' in log) == ("CC" in variables)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl") == ("SKLEARN_TOYNN_PURE" in variables)
    files = [Path(name) for name in ZipFile(wheel).namelist() if name.startswith("sklearn_toynn/")]
    binary = {".so"} if kernels == "compiled" else set()
    assert {file.suffix for file in files} == {".py", ".typed"} | binary

    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", wheel, "pytest", cwd=tmp_path)
    run(python, "-m", "pytest", ROOT / "tests" / "test_smoke.py", cwd=tmp_path)
    show = "import sklearn_toynn; sklearn_toynn.show_versions()"
    assert f"\nkernels: {kernels}\n" in run(python, "-c", show, cwd=tmp_path)


def test_a_build_that_requires_compiled_kernels_fails_without_a_compiler(sdist, tmp_path):
    variables = {"CC": "false", "SKLEARN_TOYNN_KERNELS": "compiled"}
    wheel_command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", tmp_path]
    assert "false" in run(*wheel_command, sdist, cwd=tmp_path, check=False, **variables)
    assert not list(tmp_path.glob("*.whl"))


def test_source_date_epoch_fixes_the_bytes_of_sdist_and_wheel(tmp_path):
    builds = []
    for name in ("first", "second/in/a/longer/path"):
        tree = copy_tree(tmp_path / name)
        for file in tree.rglob("*"):
            os.utime(file, (time.time(), time.time() - len(name)))
        variables = {"SOURCE_DATE_EPOCH": "1700000000", "CFLAGS": "-O0"}  # which compiles fast
        run(sys.executable, "-m", "build", cwd=tree, **variables)
        builds.append({file.name: file.read_bytes() for file in (tree / "dist").iterdir()})
    assert len(builds[0]) == 2
    assert builds[0].keys() == builds[1].keys()
    assert [name for name in builds[0] if builds[0][name] != builds[1][name]] == []


def test_the_readme_on_pypi_links_to_the_files_of_the_release(tmp_path):
    tree = copy_tree(tmp_path)
    project = tree / "pyproject.toml"
    project.write_text(project.read_text().replace('# Source = ""', 'Source = "https://a.b/c"'))
    run(sys.executable, "-m", "build", "--sdist", cwd=tree)
    (archive,) = (tree / "dist").iterdir()
    version = archive.name.removeprefix("sklearn_toynn-").removesuffix(".tar.gz")
    with tarfile.open(archive) as files:
        (metadata,) = [name for name in files.getnames() if name.count("/") == 1 if "PKG" in name]
        text = files.extractfile(metadata).read().decode()
    assert "Project-URL: Source, https://a.b/c\n" in text
    assert f"](https://a.b/c/raw/v{version}/docs/_static/spiral.png)" in text
    assert f"](https://a.b/c/blob/v{version}/docs/architecture.md)" in text
    assert "](docs" not in text


def test_the_sdist_has_sources_tests_and_docs_and_nothing_that_was_built(sdist):
    with tarfile.open(sdist) as archive:
        files = {Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()}
    expected = {
        "CITATION.cff",
        "LICENSE",
        "README.md",
        "docs/CONTRIBUTING.md",
        "pyproject.toml",
        "setup.py",
        "sklearn_toynn/_nets/kernels/kernels.c",
        "tests/test_smoke.py",
    }
    assert expected <= files
    assert not [name for name in files if name.startswith(("docs/generated", "docs/auto_"))]
    assert not [name for name in files if name.endswith((".so", ".pyc", ".o"))]
