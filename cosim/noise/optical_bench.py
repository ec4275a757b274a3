"""Speed of the 4f value model on one core: convolution frames a second, and one forward pass of ResNet-18.

A convolution frame is one channel of one image under one kernel and one pair of sign parts, the unit that optical
networks are counted in. The naive form computes them one at a time, as layer-by-layer simulators of 4f systems do:
transform the padded input and the padded kernel, multiply, transform back, read the camera, add up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cosim.ir.bench_row import BenchRow
from cosim.noise.optical import Setup, Shape, convolve
from cosim.noise.optical_detect import Detector
from cosim.noise.optical_snr import Pixel

if TYPE_CHECKING:
    from torch import Tensor

PIXEL = Pixel(1e4, 10.0, 0.0, 20_000.0, 12)
CHANNELS, FILTERS, SIDE, NAIVE_FILTERS = 64, 64, 56, 1


def naive_layer(x: Tensor, w: Tensor, detector: Detector, unit: float) -> tuple[Tensor, int]:
    """A "same" 3x3 convolution, signs of the weights split, frame by frame; returns it and the number of frames."""
    import torch

    high, wide = x.shape[-2:]
    out = x.new_zeros(w.shape[0], high, wide)
    frames = 0
    for k in range(w.shape[0]):
        for c in range(w.shape[1]):
            for sign in (1.0, -1.0):
                kernel = (sign * w[k, c]).clamp(min=0.0)
                plane, mask = torch.zeros(high + 2, wide + 2), torch.zeros(high + 2, wide + 2)
                plane[1:-1, 1:-1] = x[c]
                mask[:3, :3] = kernel
                field = torch.fft.ifft2(torch.fft.fft2(plane) * torch.fft.fft2(mask).conj())
                out[k] += sign * detector.amplitude(field[:high, :wide] / unit) * unit
                frames += 1
    return out, frames


def _rate(work: Callable[[], int], repeats: int) -> float:
    """Best frames a second of processor time, on one thread."""
    import torch

    threads, best = torch.get_num_threads(), 0.0
    torch.set_num_threads(1)
    try:
        for _ in range(repeats):
            start = time.process_time()
            frames = work()
            best = max(best, frames / (time.process_time() - start))
    finally:
        torch.set_num_threads(threads)
    return best


def _operands() -> tuple[Tensor, Tensor]:
    import torch

    draw = torch.Generator().manual_seed(0)
    x = torch.rand(1, CHANNELS, SIDE, SIDE, generator=draw)
    return x, torch.randn(FILTERS, CHANNELS, 3, 3, generator=draw)


def _frames(optical_sum: bool) -> float:
    x, w = _operands()
    setup = Setup(optical_sum, "pn2", PIXEL, x_bits=8.0, mask_bits=8.0)
    shape = Shape(padding=(1, 1, 1, 1))

    def work() -> int:
        convolve(x, w, shape, setup, predict=False)
        return CHANNELS * FILTERS * 2

    work()
    return _rate(work, 5)


def _naive() -> float:
    x, w = _operands()
    detector = Detector(PIXEL)
    return _rate(lambda: naive_layer(x[0], w[:NAIVE_FILTERS], detector, 4.0)[1], 3)


def optical_frames() -> BenchRow:
    """Channel tiling of a 64 to 64, 3x3, 56x56 layer, 8-bit modulators, noisy camera."""
    value = _frames(True)
    return BenchRow(
        "optical_frames", value, "frame/s", value / _naive(), "one channel, kernel and sign at a time"
    )


def optical_frames_electronic() -> BenchRow:
    """The same layer with every channel read by the camera and summed electronically."""
    value = _frames(False)
    return BenchRow(
        "optical_frames_electronic",
        value,
        "frame/s",
        value / _naive(),
        "one channel, kernel and sign at a time",
    )


def optical_resnet18() -> BenchRow:
    """Convolution frames a second of ResNet-18, batch 1, 224 x 224, on the default machine, with noise."""
    import torch

    from cosim.frontends.zoo.resnet import resnet18
    from cosim.hardware.load import load_machine
    from cosim.noise.optical_network import noise_of, on_light
    from cosim.noise.optical_setup import Imperfections
    from cosim.spec.locate import ROOT

    params = load_machine(ROOT / "arch" / "optical4f.yaml", {}).params
    light = on_light(resnet18(), params, Imperfections())
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    pairs = sum(
        m.weight.shape[0] * m.weight.shape[1] for m in light.modules() if isinstance(m, torch.nn.Conv2d)
    )

    def work() -> int:
        with torch.no_grad():
            light(image)
        return pairs * 4  # pn4: both operands split

    work()
    assert noise_of(light)
    value = _rate(work, 1)
    return BenchRow(
        "optical_resnet18", value, "frame/s", value / _naive(), "one channel, kernel and sign at a time"
    )


BENCHES: dict[str, Callable[[], BenchRow]] = {
    "optical_frames": optical_frames,
    "optical_frames_electronic": optical_frames_electronic,
    "optical_resnet18": optical_resnet18,
}
