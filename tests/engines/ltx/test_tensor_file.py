"""Plain reads of single tensors: equal to the library's, in little memory, and with errors that name the file."""

# ruff: noqa: E402

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import save_file

from lipdub.engines.ltx.safetensors_header import SafetensorsHeader
from lipdub.engines.ltx.tensor_file import TensorFile
from lipdub.errors import WeightsError

KINDS = (
    torch.bfloat16,
    torch.float16,
    torch.float32,
    torch.float64,
    torch.float8_e4m3fn,
    torch.int64,
    torch.uint8,
    torch.bool,
)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """A file with a tensor of every kind, a scalar and an empty one."""
    tensors = {str(kind): torch.arange(24).reshape(4, 6).to(kind) for kind in KINDS}
    tensors |= {"scalar": torch.tensor(3.5), "empty": torch.zeros(0, 3)}
    save_file(tensors, tmp_path / "some.safetensors")
    return tmp_path / "some.safetensors", tensors


def test_tensors_equal_those_that_were_written(saved):
    path, tensors = saved
    with TensorFile(SafetensorsHeader.of(path)) as file:
        for name, tensor in tensors.items():
            read = file.read(name)
            assert (read.dtype, read.shape) == (tensor.dtype, tensor.shape)
            assert torch.equal(read.reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8))
        rows = file.read_rows("torch.bfloat16", [3, 0, 3])
        assert torch.equal(rows, tensors["torch.bfloat16"][[3, 0, 3]])


def test_a_read_that_fails_names_the_file(saved):
    path, _ = saved
    header = SafetensorsHeader.of(path)
    with path.open("r+b") as file:
        file.truncate(header.offsets["scalar"][0])
    with TensorFile(header) as file, pytest.raises(WeightsError, match=r"some\.safetensors: .*cannot be read.*ends at"):
        file.read("scalar")
    path.unlink()
    with pytest.raises(WeightsError, match=r"some\.safetensors: the file cannot be read"):
        TensorFile(header)


CHILD = """
import json, resource, sys
from pathlib import Path
import torch
from safetensors import safe_open
from lipdub.engines.ltx.checkpoint import read_modules
from lipdub.engines.ltx.placement import WeightPlacement

with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (used + 2_000_000_000,) * 2)
path = Path(sys.argv[1])
try:
    safe_open(path, "pt").__enter__()
    mapped = "mapped"
except Exception as error:
    mapped = f"{type(error).__name__}: {error}"
module = read_modules(path, ["audio_vae"], 32, WeightPlacement("cpu", torch.float32))["audio_vae"]
print(json.dumps([mapped, sum(p.numel() for p in module.parameters())]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of address space is Linux's")
def test_a_file_larger_than_the_memory_is_read(files, tmp_path):
    """A checkpoint with 32 GB of (unwritten) zeros in it, in a process that may use 2 GB more than torch itself."""
    pytest.importorskip("diffusers")
    whole = (files / "ckpt.safetensors").read_bytes()
    length = int.from_bytes(whole[:8], "little")
    entries = json.loads(whole[8 : 8 + length])
    end = len(whole) - 8 - length
    big = 32_000_000_000
    entries["model.diffusion_model.unneeded.weight"] = {
        "dtype": "BF16",
        "shape": [big // 2],
        "data_offsets": [end, end + big],
    }
    text = json.dumps(entries).encode()
    large = tmp_path / "large.safetensors"
    with large.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + whole[8 + length :])
        file.truncate(8 + len(text) + end + big)
    done = subprocess.run([sys.executable, "-c", CHILD, str(large)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    mapped, weights = json.loads(done.stdout)
    assert "memory" in mapped.lower(), "the library maps the whole file, which this process may not"
    assert weights > 0
