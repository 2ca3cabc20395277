"""Blocks streamed from main memory: the result, and how much memory is held. CUDA's part is replaced by a stand-in."""

# ruff: noqa: E402

import weakref
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from lipdub.engines.ltx import block_streaming
from lipdub.engines.ltx.block_streaming import BlockStreamer, lock_pages, page_aligned

CPU = torch.device("cpu")
WIDTH, COUNT = 256, 6


class Block(torch.nn.Module):
    """Two matrices, a bias and a buffer, in two dtypes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(WIDTH, WIDTH)
        self.second = torch.nn.Linear(WIDTH, WIDTH, bias=False, dtype=torch.bfloat16)
        self.register_buffer("scale", torch.rand(3), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(torch.tanh(self.first(x)).bfloat16()).float() * self.scale.sum()


def _blocks(count: int = COUNT) -> torch.nn.ModuleList:
    torch.manual_seed(0)
    return torch.nn.ModuleList(Block() for _ in range(count)).requires_grad_(False)


@torch.no_grad()
def _run(blocks: torch.nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    for block in blocks:
        x = block(x)
    return x


def _size(block: torch.nn.Module) -> int:
    return sum(tensor.nbytes for tensor in [*block.parameters(), *block.buffers()])


@pytest.mark.parametrize("count", [3, COUNT])
def test_streamed_blocks_give_the_same_bytes_every_time(count):
    blocks, x = _blocks(count), torch.randn(5, WIDTH)
    plain = _run(blocks, x)
    state = {name: tensor.clone() for name, tensor in blocks.state_dict().items()}
    streamer = BlockStreamer(blocks, CPU)
    for _ in range(3):
        assert torch.equal(_run(blocks, x), plain)
    assert torch.equal(_run(blocks[2:3], x), _run(_blocks(count)[2:3], x)), "a block out of its turn"
    assert all(torch.equal(tensor, state[name]) for name, tensor in blocks.state_dict().items())
    streamer.close()
    assert torch.equal(_run(blocks, x), plain)


def test_the_device_holds_two_blocks_and_main_memory_each_once():
    blocks = _blocks()
    one = _size(blocks[0])
    streamer = BlockStreamer(blocks, CPU)
    assert 2 * one <= streamer.device_bytes <= 2 * one + 8 * 256
    assert COUNT * one <= streamer.host_bytes <= COUNT * (one + 4 * 256)


def test_while_it_is_set_up_at_most_one_block_is_in_main_memory_twice(monkeypatch):
    """Bytes of live tensors are counted each time that a block has been packed."""
    blocks = _blocks()
    one = _size(blocks[0])
    alive: dict[int, int] = {}
    peaks: list[int] = []

    def watch(tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in alive:
            alive[key] = storage.nbytes()
            weakref.finalize(storage, alive.pop, key, None)

    for block in blocks:
        for tensor in [*block.parameters(), *block.buffers()]:
            watch(tensor.data)

    def aligned(size: int) -> torch.Tensor:
        piece = page_aligned(size)
        watch(piece)
        peaks.append(sum(alive.values()))
        return piece

    monkeypatch.setattr(block_streaming, "page_aligned", aligned)
    BlockStreamer(blocks, CPU)
    assert len(peaks) == COUNT
    assert max(peaks) <= COUNT * one + one + COUNT * 4 * 4096


def test_one_block_alone_can_be_streamed_and_different_blocks_cannot():
    blocks, x = _blocks()[:1], torch.randn(2, WIDTH)
    plain = _run(blocks, x)
    BlockStreamer(blocks, CPU)
    assert torch.equal(_run(blocks, x), plain)
    with pytest.raises(ValueError, match="different tensors"):
        BlockStreamer(torch.nn.ModuleList([Block(), torch.nn.Linear(2, 2)]), CPU)


def test_after_an_error_in_a_block_its_weights_are_in_main_memory_again():
    blocks = _blocks()
    BlockStreamer(blocks, CPU)
    where = blocks[1].first.weight.data_ptr()
    with pytest.raises(RuntimeError), torch.no_grad():
        blocks[1](torch.randn(2, WIDTH + 1))
    assert blocks[1].first.weight.data_ptr() == where


def test_pages_are_locked_where_they_lie_and_unlocked_when_they_are_freed(monkeypatch):
    """The driver is a stand-in that notes what it is asked for."""
    locked: dict[int, int] = {}

    def register(address: int, size: int, flags: int) -> int:
        locked[address] = size
        return 0

    runtime = SimpleNamespace(cudaHostRegister=register, cudaHostUnregister=lambda address: locked.pop(address))
    monkeypatch.setattr(torch.cuda, "cudart", lambda: runtime)
    piece = page_aligned(10_000)
    assert lock_pages(piece, CPU)
    assert locked == {piece.data_ptr(): 12_288}
    assert piece.data_ptr() % 4096 == 0
    view = piece[5:7]
    del piece
    assert len(locked) == 1, "a view keeps it"
    del view
    assert locked == {}


def test_memory_that_cannot_be_locked_is_used_unlocked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "cudart", lambda: SimpleNamespace(cudaHostRegister=lambda *_: 2))
    assert not lock_pages(page_aligned(100), CPU)


class _Queue:
    """Stands in for a CUDA stream and its events: it notes what it is told to wait for."""

    def __init__(self, name: str, told: list[tuple[str, str, int]]) -> None:
        self.name, self._told = name, told

    def wait_event(self, event: "_Event") -> None:
        self._told.append((self.name, "waits for", event.number))

    def wait_stream(self, other: "_Queue") -> None:
        pass


class _Event:
    """Stands in for a CUDA event; the streamer makes two for copies (0 and 1), then two for work (2 and 3)."""

    def __init__(self, number: int, told: list[tuple[str, str, int]]) -> None:
        self.number, self._told = number, told

    def record(self, queue: _Queue) -> None:
        self._told.append((queue.name, "records", self.number))


def test_copies_wait_for_work_and_work_waits_for_copies(monkeypatch):
    """CUDA's streams and events are stand-ins; what is asked of them is looked at."""
    told: list[tuple[str, str, int]] = []
    numbers = iter(range(4))
    main, side = _Queue("work", told), _Queue("copy", told)
    monkeypatch.setattr(block_streaming, "has_streams", lambda device: True)
    monkeypatch.setattr(block_streaming, "lock_pages", lambda piece, device: True)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: side)
    monkeypatch.setattr(torch.cuda, "Event", lambda: _Event(next(numbers), told))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: main)
    monkeypatch.setattr(torch.cuda, "stream", lambda queue: nullcontext())
    blocks, x = _blocks(4), torch.randn(5, WIDTH)
    plain = _run(blocks, x)
    BlockStreamer(blocks, CPU)
    assert torch.equal(_run(blocks, x), plain)
    first = [
        ("copy", "waits for", 2), ("copy", "records", 0),  # block 0 into piece 0
        ("work", "waits for", 0),
        ("copy", "waits for", 3), ("copy", "records", 1),  # block 1 into piece 1
        ("work", "records", 2),
        ("work", "waits for", 1),
        ("copy", "waits for", 2), ("copy", "records", 0),  # block 2 into piece 0, after the work there
        ("work", "records", 3),
    ]  # fmt: skip
    assert told[: len(first)] == first
    again = told[:]
    assert torch.equal(_run(blocks, x), plain)
    assert told[len(again)] == ("work", "waits for", 0), "block 0 was sent while the last block worked"
