"""What ``lipdub doctor`` says about the LTX engine, on machines that are pretended here."""

# ruff: noqa: E402

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from lipdub.engines.ltx import diagnose as module
from lipdub.engines.ltx import memory
from lipdub.engines.ltx.diagnose import diagnose, nvidia_gpus
from lipdub.engines.ltx.options import LtxOptions

CARD = [("NVIDIA GeForce RTX 4090", "570.86.10")]


@pytest.fixture
def said(monkeypatch):
    """The lines on a machine with these GPUs, a torch that was built for ``cuda``, and its ``free`` GB on the GPU."""

    def said(gpus, cuda, free=0.0, weights=None):
        monkeypatch.setattr(module, "nvidia_gpus", lambda: gpus)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(free))
        gpu = memory.ComputeDevice("cuda", int(free * 1e9), int(64e9), (8, 9), "a card")
        cpu = memory.ComputeDevice("cpu", int(64e9), int(64e9), name="CPU")
        monkeypatch.setattr(memory, "detect_device", lambda device="auto": gpu if free else cpu)
        return diagnose(LtxOptions(), weights)

    return said


def test_torch_driver_memory_and_the_plan_are_shown(said):
    lines = said(CARD, "12.8", 79.0)
    assert f"torch {torch.__version__}, built for CUDA 12.8; NVIDIA GeForce RTX 4090, driver 570.86.10" in lines
    assert any("main memory: " in line and "swap: " in line for line in lines)
    assert any(line.startswith("transformer: bfloat16") for line in lines)
    assert "74 GB" in lines[-1]
    assert not any("cannot use the GPU" in line or "finds no GPU" in line for line in lines)


@pytest.mark.parametrize(("system", "why"), [("win32", "PyPI has no other for Windows"), ("linux", "installed so")])
def test_a_torch_without_cuda_beside_a_gpu_is_pointed_out(said, monkeypatch, system, why):
    monkeypatch.setattr(module.sys, "platform", system)
    (line,) = [line for line in said(CARD, None) if "build for the CPU" in line]
    assert why in line
    assert "--index-url https://download.pytorch.org/whl/cu128" in line
    assert not any("build for the CPU" in line for line in said([], None))


@pytest.mark.parametrize(("cuda", "needs"), [("12.8", "driver 525"), ("13.0", "driver 580"), ("99.1", "CUDA 99.1")])
def test_a_driver_that_is_too_old_is_pointed_out(said, cuda, needs):
    assert any("torch finds no GPU, though there is one" in line and needs in line for line in said(CARD, cuda))


def test_missing_weights_are_named_after_the_machine(said, tmp_path):
    lines = said(CARD, "12.8", 79.0, tmp_path / "nowhere")
    assert "no such folder" in lines[-1]
    assert "a card: 79.0 GB free" in lines


def _program(folder: Path, text: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="the pretended program is a shell script")
def test_the_driver_is_asked_through_its_own_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia_gpus() == []
    _program(tmp_path, "echo 'NVIDIA H100, 80GB, 580.95.05'; echo 'NVIDIA L4, 580.95.05'")
    assert nvidia_gpus() == [("NVIDIA H100, 80GB", "580.95.05"), ("NVIDIA L4", "580.95.05")]
    _program(tmp_path, "exit 9")
    assert nvidia_gpus() == []
