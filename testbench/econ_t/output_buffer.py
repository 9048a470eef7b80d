"""From frames to output links: the buffer of 16-bit words that evens out variable frames.

Two words make a link word, the first in its upper half; links not in use send 0.  Source of the
buffer's rules: CMS ECON-T emulator (docs/econ_t_formats.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from testbench.econ_t.frames import FRAME_WORDS, WORD_BITS, Frames
from testbench.econ_t.links import Words

WORDS_PER_LINK = 2
BUFFER_WORDS = 400  # of the emulator's buffer
TRUNCATED = -1  # word index that stands for the word sent in place of a frame
_UNDEFINED = -1
_T2_OR_T3_BIT = 1 << 8  # lowest bit of the type of a truncated frame

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Transmission:
    """What is on the output links.

    Attributes:
        links: 32-bit words, shape (rows, 13); rows beyond the input's drain the buffer, as far as
            the words are known that the chip sends then.
        frame: BX (row of the input) to which each 16-bit word belongs, shape (rows, 26); -1 on
            links not in use.
        word: index of the word in its frame, shape (rows, 26); TRUNCATED for a truncated one.
        frames: the frames themselves.
    """

    links: Words
    frame: Integers
    word: Integers
    frames: Frames


def _link_words(words: Integers) -> Words:
    return ((words[:, 0::2] << WORD_BITS) | words[:, 1::2]).astype(np.uint32)


def send_at_once(frames: Frames, etx: int) -> Transmission:
    """Send each frame in its own BX, cut off after `etx` links."""
    used = np.arange(FRAME_WORDS) < WORDS_PER_LINK * etx
    shape = frames.words.shape
    rows = np.broadcast_to(np.arange(shape[0])[:, None], shape)
    columns = np.broadcast_to(np.arange(FRAME_WORDS), shape)
    return Transmission(
        _link_words(np.where(used, frames.words, 0)), np.where(used, rows, -1), columns, frames
    )


def send_buffered(
    frames: Frames, truncated: Integers, idle: Integers, etx: int, thresholds: tuple[int, int, int]
) -> Transmission:
    """Send frames of variable length through the buffer.

    With B words waiting, a frame of L words is replaced by its truncated word where B + L > T1,
    or where B > T2 and L <= T3.  Each BX sends 2 etx words; idle words fill up.

    Words from place BUFFER_WORDS on are counted as waiting but not stored.  What is sent in their
    place are the last words of the buffer: shifting it leaves them where they stand.

    Args:
        frames: of n bunch crossings.
        truncated: word that replaces each frame, shape (n,).
        idle: word sent where nothing waits, shape (n,).
        etx: output links, 1 to 13.
        thresholds: T1, T2, T3 in words.

    Raises:
        InputError: the thresholds make the chip send words whose content is not known before the
            buffer is drained.
    """
    t1, t2, t3 = thresholds
    count = WORDS_PER_LINK * etx
    # content, BX and word index of each waiting word
    waiting = np.full((3, BUFFER_WORDS), _UNDEFINED, dtype=np.int64)
    index = np.arange(FRAME_WORDS)
    end = 0
    sent: list[Integers] = []
    for bx, length in enumerate(frames.lengths.tolist()):
        over_t1 = end + length > t1
        if over_t1 or (end > t2 and length <= t3):
            word = truncated[bx] if over_t1 else truncated[bx] | _T2_OR_T3_BIT
            _store(waiting, end, [[word, idle[bx]], [bx, bx], [TRUNCATED, FRAME_WORDS]])
            end += 1
        else:
            filled = np.where(index < length, frames.words[bx], idle[bx])
            _store(waiting, end, [filled, np.full(FRAME_WORDS, bx), index])
            end += length
        end = _shift_out(waiting, count, end, sent)
    while end > 0:
        end = _shift_out(waiting, count, end, sent)
    words, frame, word = np.array(sent).transpose(1, 0, 2)
    unknown = (words == _UNDEFINED).any(axis=1)
    if unknown[: len(frames.lengths)].any():
        raise InputError(
            f"output buffer thresholds T1 {t1}, T2 {t2}, T3 {t3} with {etx} links: words are sent "
            "before any was stored; what the chip sends then is not known, so it is not supported"
        )
    if unknown.any():  # fewer idle words were stored than fill up the last links of the drain
        words, frame, word = (array[: unknown.argmax()] for array in (words, frame, word))
    unused = FRAME_WORDS - count
    pad = ((0, 0), (0, unused))
    return Transmission(
        _link_words(np.pad(words, pad)),
        np.pad(frame, pad, constant_values=-1),
        np.pad(word, pad),
        frames,
    )


def _store(waiting: Integers, end: int, entries: Sequence[npt.ArrayLike]) -> None:
    """Put words behind the `end` that wait; those for which the buffer has no place are lost."""
    stored = np.array(entries)[:, : max(BUFFER_WORDS - end, 0)]
    waiting[:, end : end + stored.shape[1]] = stored


def _shift_out(waiting: Integers, count: int, end: int, sent: list[Integers]) -> int:
    """Send `count` words; returns how many still wait."""
    sent.append(waiting[:, :count].copy())
    waiting[:, :-count] = waiting[:, count:].copy()
    return max(end - count, 0)
