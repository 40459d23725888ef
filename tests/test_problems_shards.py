"""Shards of tokens: the format byte by byte, windows across files, what is refused, and where a stream stands."""

import re
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ratewitness.problems.data import shards as shards_module
from ratewitness.problems.data.shards import Shards, Stream, tokens_promised, write_shard
from ratewitness.problems.data.tables import DataError
from scripted import seeded


@pytest.fixture
def folder(tmp_path):
    """Shards of 5, 1 and 9 tokens, which are 0 to 14, and one to judge by."""
    for j, (first, last) in enumerate(((0, 5), (5, 6), (6, 15))):
        write_shard(tmp_path / f"count_train_{j:06}.bin", np.arange(first, last))
    write_shard(tmp_path / "count_val_000000.bin", [50256, 65535])
    return tmp_path


def test_the_bytes_are_those_of_the_format(tmp_path):
    write_shard(tmp_path / "a.bin", [1, 50256, 258])
    content = (tmp_path / "a.bin").read_bytes()
    assert content[:12] == struct.pack("<3i", 20240520, 1, 3)
    assert content[12:1024] == bytes(1012)
    assert content[1024:] == b"\x01\x00\x50\xc4\x02\x01"


@given(st.lists(st.lists(st.integers(0, 65535), min_size=1, max_size=9), min_size=1, max_size=4), st.data())
def test_a_read_is_a_slice_of_all_shards(tmp_path_factory, parts, data):
    at = tmp_path_factory.mktemp("shards")
    for j, tokens in enumerate(parts):
        write_shard(at / f"x_train_{j}.bin", tokens)
    shards, whole = Shards.in_folder(at, vocabulary=2**16), [t for part in parts for t in part]
    first = data.draw(st.integers(0, len(whole) - 1))
    last = data.draw(st.integers(first + 1, len(whole)))
    assert shards.read(first, last - first).tolist() == whole[first:last]
    assert len(shards) == len(whole)
    assert np.concatenate([*shards.scan()]).tolist() == whole


def test_windows_share_a_token_and_begin_anew(folder):
    stream = Stream(Shards.in_folder(folder), context=4)
    assert stream.count == 3
    assert stream.next(2).tolist() == [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8]]
    assert stream.next(2, 1).tolist() == [[[8, 9, 10, 11, 12]], [[0, 1, 2, 3, 4]]]


@pytest.mark.parametrize("drawn", [False, True])
def test_a_stream_goes_on_from_its_state(folder, drawn):
    def stream(seed):
        return Stream(Shards.in_folder(folder), 2, seeded(seed) if drawn else None)

    one, other = stream(1), stream(2)
    one.next(3)
    state = one.state
    expected = [one.next(2).tolist() for _ in range(4)]
    other.restore(state)
    assert [other.next(2).tolist() for _ in range(4)] == expected
    assert one.next(1).dtype == torch.int64


def test_draws_reach_all_windows(folder):
    stream = Stream(Shards.in_folder(folder), 2, seeded())
    assert {*stream.next(200)[:, 0].tolist()} == {0, 2, 4, 6, 8, 10, 12}


DAMAGED = {
    "nothing": (lambda c: b"", "byte 0: the file ends here; accepted is a header of 1024 bytes"),
    "a short header": (lambda c: c[:700], "byte 700: the file ends here"),
    "another magic number": (lambda c: b"\0" + c[1:], "byte 0: begins with 20240384; accepted is the magic number 20240520"),
    "another version": (lambda c: c[:4] + b"\2" + c[5:], "byte 4: the version is 2; accepted is 1"),
    "no tokens": (lambda c: c[:8] + bytes(4) + c[12:], "byte 8: the header promises 0 tokens"),
    "half a token": (lambda c: c[:-1], "byte 1041: the file ends here, in the middle of a token; accepted"),
    "a token less": (lambda c: c[:-2], "byte 1040: the file ends here; accepted is one of 1042 bytes, as its header says"),
    "a byte more": (lambda c: c + b"\0", "byte 1042: 1 bytes more than the header promises"),
    "a token of none": (lambda c: c[:1028] + b"\x51\xc4" + c[1030:], "byte 1028: token 50257; accepted are tokens"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_shard_is_refused_with_its_byte(folder, name):
    damage, said = DAMAGED[name]
    path = folder / "count_train_000002.bin"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"^{re.escape(f'{path}, {said}')}[^\n]*$"):
        [*Shards.in_folder(folder).scan()]


def test_a_shard_that_shrinks_is_refused(folder):
    shards, path = Shards.in_folder(folder), folder / "count_train_000002.bin"
    path.write_bytes(path.read_bytes()[:1030])
    with pytest.raises(DataError, match=r"_000002.bin, byte 1026: cannot be read any more"):
        shards.read(7, 8)


def test_a_folder_without_shards_says_so(folder, tmp_path):
    with pytest.raises(DataError, match=r"holds no test shards; accepted are files such as fineweb_test_000001\.bin"):
        Shards.in_folder(folder, "test")
    with pytest.raises(DataError, match="no such folder"):
        Shards.in_folder(folder / "missing")
    with pytest.raises(DataError, match="is no folder"):
        Shards.in_folder(folder / "count_train_000002.bin")
    with pytest.raises(DataError, match=r"missing.bin: cannot be read \(No such file"):
        tokens_promised(tmp_path / "missing.bin")


@pytest.mark.parametrize("tokens", [[], [-1], [65536], [0.5], [[1]]])
def test_what_is_no_text_is_not_written(tmp_path, tokens):
    with pytest.raises(ValueError, match="accepted are vectors of integers from 0 to 65535"):
        write_shard(tmp_path / "a.bin", tokens)


def test_reads_beyond_the_text_are_refused(folder):
    shards = Shards.in_folder(folder)
    with pytest.raises(ValueError, match="accepted are 0 to 15"):
        shards.read(10, 6)
    with pytest.raises(ValueError, match="accepted are more than the context 15"):
        Stream(shards, 15)


def test_a_fingerprint_is_of_names_sizes_and_both_ends(folder, monkeypatch):
    monkeypatch.setattr(shards_module, "CHUNK", 3)
    shard = folder / "count_train_000002.bin"

    def fingerprint(*tokens):
        write_shard(shard, np.array(tokens))
        return Shards.in_folder(folder).fingerprint()

    before = fingerprint(*range(9))
    assert fingerprint(0, 1, 2, 9, 9, 9, 6, 7, 8) == before  # the middle is not read
    assert len({before, fingerprint(9, *range(1, 9)), fingerprint(*range(8), 9), fingerprint(*range(8))}) == 4
