"""Converts frames to the pixels that the video VAE takes, and back."""

from fractions import Fraction
from math import ceil

import numpy as np
import torch
import torch.nn.functional as nn
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

Pixels = Float[Tensor, "1 3 _frames _height _width"]
"""RGB in -1..1."""

Frames = UInt8[np.ndarray, "_frames _height _width 3"]


def fit_frames(frames: Frames, height: int, width: int) -> Pixels:
    """``frames`` as RGB in -1..1, ``height`` x ``width``: resized to cover that size, then cropped to the middle.

    Bilinear interpolation between pixel centres without antialiasing, as in the model's training.
    """
    tall, wide = frames.shape[1:3]
    scale = max(Fraction(height, tall), Fraction(width, wide))
    size = (ceil(tall * scale), ceil(wide * scale))
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    out = torch.empty(1, 3, len(frames), height, width)
    for i, frame in enumerate(frames):
        picture = torch.tensor(frame).permute(2, 0, 1)[None].float()
        large = nn.interpolate(picture, size=size, mode="bilinear", align_corners=False, antialias=False)
        out[:, :, i] = large[:, :, top : top + height, left : left + width]
    return out.div_(127.5).sub_(1)


def to_unit_range(pixels: Pixels) -> Float32[torch.Tensor, "_frames _height _width 3"]:
    """RGB in 0..1, channels last, from the VAE's -1..1."""
    return ((pixels[0].float() + 1) / 2).clamp(0, 1).permute(1, 2, 3, 0)


def to_bytes(pixels: Pixels) -> Frames:
    """RGB in 0..255, rounded, from the VAE's -1..1."""
    return (to_unit_range(pixels) * 255).round().to(torch.uint8).cpu().numpy()
