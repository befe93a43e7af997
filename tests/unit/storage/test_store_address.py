"""URLs of stores: what is one, and what messages show of it."""

import pytest

from job.errors import StoreError
from job.storage import store_address
from job.storage.local_paths import masked, refusal
from job.storage.store_address import parse_store


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("file:///data/run/", "file:///data/run"),
        ("FILE:///data", "file:///data"),
        ("memory://run", "memory://run"),
        ("memory://run/a@b", "memory://run/a@b"),
    ],
)
def test_addresses(url, shown):
    assert str(parse_store(url)) == shown


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("/data/run", "'/data/run' is not the URL of a store; expected s3://BUCKET/PATH"),
        ("http://example.com/x", "is not the URL of a store"),
        ("", "'' is not the URL of a store"),
        ("s3://", "'s3://' names no place in a store"),
        ("memory:///x", "names no place in a store"),
        ("file://data", "'file://data' names no place in a store"),
        ("s3://key:secret@bucket/x", "'s3://***@bucket/x' has more than bucket and path"),
        ("s3://key:se/cret@bucket/x", "'s3://***@bucket/x' has more than bucket and path"),
        ("s3://bucket/x?X-Amz-Signature=secret", "'s3://bucket/x?***' has more than bucket and path"),
        ("http://key:secret@host/x", "'http://***@host/x' is not the URL of a store"),
    ],
)
def test_what_is_no_store_is_refused_without_showing_secrets(url, sentence):
    with pytest.raises(StoreError) as raised:
        parse_store(url)
    assert sentence in str(raised.value)
    assert "cret" not in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(("scheme", "module", "extra"), [("s3", "s3fs", "s3"), ("gs", "gcsfs", "gcs")])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, scheme, module, extra):
    monkeypatch.setattr(store_address, "find_spec", lambda name: None if name == module else object())
    assert str(parse_store("memory://x")) == "memory://x"
    with pytest.raises(StoreError) as raised:
        parse_store(f"{scheme}://bucket")
    assert str(raised.value) == (
        f"{scheme}:// needs the package {module}, which is not installed: pip install 'seq2seq-job[{extra}]'"
    )


def test_messages_mask_every_url():
    text = "Could not connect to http://user:pass@host/x?token=abc and s3://a:b@c"
    assert masked(text) == "Could not connect to http://***@host/x?*** and s3://***@c"
    assert "secret" not in refusal("s3://key:secret@bucket")
