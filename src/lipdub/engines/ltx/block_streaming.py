"""Keeps the blocks of a network in main memory, and sends each to the GPU while the block before it works.

The weights of a block are packed into one piece of main memory, which is page-locked where it lies. On the GPU there
are two pieces of the size of a block, used in turn: while block i works in one, block i + 1 is copied into the other by
a second stream. So main memory holds every weight once, and while it is set up one block twice; the GPU holds two.

diffusers' group offloading (0.42.1) was looked at and not taken:

- with ``use_stream`` it page-locks a copy of every block when it is set up, while the pages of the originals are still
  held: nearly twice the weights in main memory. torch keeps page-locked memory for later, so that it is not given back
  to the system when the model is released.
- with ``low_cpu_mem_usage`` it page-locks a copy of each block every time that the block is used, and the next block is
  not sent before that copy is made.
- either way everything outside the blocks is moved to the GPU and back at every step.

The pieces hold the weights of a block only until the next but one comes: so this is for inference, not for training.
"""

import weakref
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lipdub.process.memory import give_back_memory
from lipdub.weights import log

_PAGE = 4096
_ALIGNMENT = 256
"""Bytes to which tensors are aligned in a piece: what the kernels of a GPU expect."""


def stream_transformer(model: nn.Module, device: torch.device) -> "BlockStreamer":
    """Stream the blocks of a transformer to ``device``, and move everything else of it there."""
    blocks = model.get_submodule("transformer_blocks")
    assert isinstance(blocks, nn.ModuleList)
    for child in model.children():
        if child is not blocks:
            child.to(device)
    for own in [*model.parameters(recurse=False), *model.buffers(recurse=False)]:
        own.data = own.data.to(device)
    return BlockStreamer(blocks, device)


class BlockStreamer:
    """The blocks in main memory, the two pieces on the device, and the hooks that copy.

    On other devices than CUDA the copies are made one after the other.
    """

    def __init__(self, blocks: nn.ModuleList, device: torch.device) -> None:
        """Pack and page-lock ``blocks`` one by one, and stream them to ``device`` from now on.

        Raises ``ValueError`` if they do not all have the same tensors.
        """
        self._device = device
        self._packed = [_packed_and_freed(block) for block in blocks]
        if len({tuple(packed.layout) for packed in self._packed}) > 1:
            raise ValueError("blocks with different tensors cannot be streamed")
        self._cuda = has_streams(device)
        size = self._packed[0].home.nbytes if self._packed else 0
        self._pieces = [torch.empty(size, dtype=torch.uint8, device=device) for _ in range(min(2, len(blocks)))]
        self._content: list[int | None] = [None] * len(self._pieces)
        self._stream: Any = torch.cuda.Stream(device) if self._cuda else None
        self._copied, self._used = ([torch.cuda.Event() for _ in self._pieces] if self._cuda else [] for _ in range(2))
        if self._cuda:
            self._stream.wait_stream(torch.cuda.current_stream(device))
        if self._cuda and not all(lock_pages(packed.home, device) for packed in self._packed):
            log("main memory could not be page-locked for streaming: it works, and takes longer")
        self._hooks = []
        for number, block in enumerate(blocks):
            begin, end = partial(self._begin, number), partial(self._end, number)
            self._hooks.append(block.register_forward_pre_hook(begin, prepend=True))
            self._hooks.append(block.register_forward_hook(end, always_call=True))

    @property
    def device_bytes(self) -> int:
        """Bytes on the device."""
        return sum(piece.nbytes for piece in self._pieces)

    @property
    def host_bytes(self) -> int:
        """Bytes in main memory."""
        return sum(packed.home.nbytes for packed in self._packed)

    def close(self) -> None:
        """Remove the hooks and free what is on the device; the blocks stay in main memory."""
        for hook in self._hooks:
            hook.remove()
        if self._cuda:
            torch.cuda.synchronize(self._device)
        self._pieces, self._content = [], []

    def _begin(self, number: int, *_: object) -> None:
        """Put block ``number`` on the device if it is not there, and send the next one."""
        assert not torch.is_grad_enabled(), "streamed blocks are for inference"
        self._send(number)
        piece = number % len(self._pieces)
        if self._cuda:
            torch.cuda.current_stream(self._device).wait_event(self._copied[piece])
        self._packed[number].point_to(self._pieces[piece])
        following = (number + 1) % len(self._packed)
        if following % len(self._pieces) != piece:  # an odd number of blocks: the first uses the piece of the last
            self._send(following)

    def _end(self, number: int, *_: object) -> None:
        """Point block ``number`` to main memory again."""
        self._packed[number].point_to(self._packed[number].home)
        if self._cuda:
            self._used[number % len(self._pieces)].record(torch.cuda.current_stream(self._device))

    def _send(self, number: int) -> None:
        """Copy block ``number`` to its piece, after the work of the block that was there; nothing if it is there."""
        piece = number % len(self._pieces)
        if self._content[piece] == number:
            return
        self._content[piece] = number
        with self._copying():
            if self._cuda:
                self._stream.wait_event(self._used[piece])
            self._pieces[piece].copy_(self._packed[number].home, non_blocking=self._cuda)
            if self._cuda:
                self._copied[piece].record(self._stream)

    def _copying(self) -> AbstractContextManager[Any]:
        return torch.cuda.stream(self._stream) if self._cuda else nullcontext()


def has_streams(device: torch.device) -> bool:
    """True for CUDA: copies in one stream go on beside work in another one."""
    return device.type == "cuda"


class _PackedBlock:
    """The tensors of one block, packed into ``home``. ``layout``: offset, shape and dtype of each."""

    def __init__(self, block: nn.Module) -> None:
        """Move the parameters and buffers of ``block`` into one piece of main memory."""
        self._tensors: list[Tensor] = [*block.parameters(), *block.buffers()]
        self.layout: list[tuple[int, torch.Size, torch.dtype]] = []
        end = 0
        for tensor in self._tensors:
            self.layout.append((end, tensor.shape, tensor.dtype))
            end += -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT
        self.home = page_aligned(end)
        for tensor, view in zip(self._tensors, self._views(self.home), strict=True):
            view.copy_(tensor.data)
            tensor.data = view

    def _views(self, piece: Tensor) -> Iterable[Tensor]:
        for offset, shape, dtype in self.layout:
            yield piece[offset : offset + shape.numel() * dtype.itemsize].view(dtype).view(shape)

    def point_to(self, piece: Tensor) -> None:
        """Let the block's tensors be those in ``piece``."""
        for tensor, view in zip(self._tensors, self._views(piece), strict=True):
            tensor.data = view


def _packed_and_freed(block: nn.Module) -> _PackedBlock:
    """``block`` packed; the C library gives its original tensors back to the system before the next block comes."""
    packed = _PackedBlock(block)
    give_back_memory()
    return packed


def page_aligned(size: int) -> Tensor:
    """``size`` bytes of main memory that share no page with anything else. They are freed with the tensor."""
    whole = torch.empty(size + 2 * _PAGE, dtype=torch.uint8)
    start = -whole.data_ptr() % _PAGE
    return whole[start : start + size]


def lock_pages(piece: Tensor, device: torch.device) -> bool:
    """Page-lock ``piece`` (of ``page_aligned``) where it lies, until it is freed; True if the driver did it.

    CUDA copies page-locked memory while the GPU and the CPU go on with other work. ``device``: the GPU.
    """
    runtime: Any = torch.cuda.cudart()
    address, size = piece.data_ptr(), -(-piece.nbytes // _PAGE) * _PAGE
    if int(runtime.cudaHostRegister(address, size, 0)) != 0:
        with suppress(RuntimeError):  # the next operation would raise what CUDA remembers of this failure
            torch.zeros(1, device=device)
        return False
    weakref.finalize(piece.untyped_storage(), _unlock_pages, runtime, address).atexit = False
    return True


def _unlock_pages(runtime: Any, address: int) -> None:
    runtime.cudaHostUnregister(address)
