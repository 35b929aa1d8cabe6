"""Monotonic rational-quadratic splines and affine maps of logits on the unit interval, in both directions."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["affine_forward", "affine_inverse", "rqs_forward", "rqs_inverse"]

EDGE = 1e-6
"""The affine map sees nothing nearer to 0 or 1 than this."""


def _knots(raw: Tensor, min_bin: float) -> tuple[Tensor, Tensor]:
    """Knots (..., K + 1) from 0 to 1 and bin sizes (..., K) from unnormalised logarithms (..., K)."""
    bins = raw.shape[-1]
    sizes = min_bin + (1.0 - bins * min_bin) * torch.softmax(raw, dim=-1)
    inner = torch.cumsum(sizes[..., :-1], dim=-1)
    zero = torch.zeros_like(sizes[..., :1])
    knots = torch.cat((zero, inner, torch.ones_like(zero)), dim=-1)
    return knots, knots.diff(dim=-1)


def _parts(
    raw: Tensor, bins: int, min_bin: float, min_derivative: float, periodic: Tensor
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor]:
    widths = _knots(raw[..., :bins], min_bin)
    heights = _knots(raw[..., bins : 2 * bins], min_bin)
    slopes = min_derivative + (1.0 - min_derivative) / log(2.0) * functional.softplus(raw[..., 2 * bins :])
    # on a circle the slope at 1 is the slope at 0
    last = torch.where(periodic, slopes[..., 0], slopes[..., -1])
    return widths, heights, torch.cat((slopes[..., :-1], last[..., None]), dim=-1)


def _pick(values: Tensor, index: Tensor) -> Tensor:
    return values.gather(-1, index[..., None])[..., 0]


def _log_slope(s: Tensor, d0: Tensor, d1: Tensor, xi: Tensor) -> Tensor:
    mixed = xi * (1.0 - xi)
    denominator = s + (d0 + d1 - 2.0 * s) * mixed
    numerator = s**2 * (d1 * xi**2 + 2.0 * s * mixed + d0 * (1.0 - xi) ** 2)
    return torch.log(numerator) - 2.0 * torch.log(denominator)


def rqs_forward(
    x: Tensor, raw: Tensor, bins: int, min_bin: float, min_derivative: float, periodic: Tensor
) -> tuple[Tensor, Tensor]:
    """Value and logarithm of the slope of the spline (arXiv:1906.04032, eqs. 4 and 5).

    Arguments:
        x: (n, t), points of the unit interval.
        raw: (n, t, 3 bins + 1), what the conditioner gives: widths, heights, slopes; all zero is the identity.
        periodic: (t,) mask of the coordinates on a circle.
    """
    (x_knots, widths), (y_knots, heights), slopes = _parts(raw, bins, min_bin, min_derivative, periodic)
    index = torch.searchsorted(x_knots[..., 1:-1].detach().contiguous(), x[..., None].detach(), right=True)[..., 0]
    width, height = _pick(widths, index), _pick(heights, index)
    d0, d1 = _pick(slopes, index), _pick(slopes, index + 1)
    s = height / width
    xi = (x - _pick(x_knots, index)) / width
    mixed = xi * (1.0 - xi)
    value = _pick(y_knots, index) + height * (s * xi**2 + d0 * mixed) / (s + (d0 + d1 - 2.0 * s) * mixed)
    return value, _log_slope(s, d0, d1, xi)


def rqs_inverse(
    y: Tensor, raw: Tensor, bins: int, min_bin: float, min_derivative: float, periodic: Tensor
) -> tuple[Tensor, Tensor]:
    """Inverse of :func:`rqs_forward` (arXiv:1906.04032, eqs. 6 to 8) and the logarithm of the slope dy/dx there."""
    (x_knots, widths), (y_knots, heights), slopes = _parts(raw, bins, min_bin, min_derivative, periodic)
    index = torch.searchsorted(y_knots[..., 1:-1].detach().contiguous(), y[..., None].detach(), right=True)[..., 0]
    width, height = _pick(widths, index), _pick(heights, index)
    d0, d1 = _pick(slopes, index), _pick(slopes, index + 1)
    s = height / width
    above = y - _pick(y_knots, index)
    bend = above * (d0 + d1 - 2.0 * s)
    a = height * (s - d0) + bend
    b = height * d0 - bend
    c = -s * above
    root = torch.sqrt(torch.clamp(b**2 - 4.0 * a * c, min=0.0))
    xi = torch.clamp(2.0 * c / (-b - root), 0.0, 1.0)
    return _pick(x_knots, index) + xi * width, _log_slope(s, d0, d1, xi)


def affine_forward(y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
    """Affine map of the logit (RealNVP, arXiv:1605.08803, on the unit interval), and the logarithm of its slope.

    Arguments:
        y: (n, t), points of the unit interval.
        raw: (n, t, 2), logarithm of the scale (limited to 3) and shift.
    """
    s = 3.0 * torch.tanh(raw[..., 0] / 3.0)
    x = torch.clamp(y, EDGE, 1.0 - EDGE)
    v = torch.exp(s) * torch.logit(x) + raw[..., 1]
    slope = s - functional.softplus(v) - functional.softplus(-v) - torch.log(x) - torch.log1p(-x)
    return torch.sigmoid(v), slope


def affine_inverse(z: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
    """Inverse of :func:`affine_forward`, and the logarithm of the slope dz/dy there."""
    s = 3.0 * torch.tanh(raw[..., 0] / 3.0)
    v = torch.logit(torch.clamp(z, EDGE, 1.0 - EDGE))
    y = torch.clamp(torch.sigmoid((v - raw[..., 1]) * torch.exp(-s)), EDGE, 1.0 - EDGE)
    return y, s - functional.softplus(v) - functional.softplus(-v) - torch.log(y) - torch.log1p(-y)
