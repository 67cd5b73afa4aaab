"""A cluster whose scheduler, workers and client know each other by certificates."""

import logging

import pytest
from distributed import LocalCluster, Security

from geoseg import SegmentOptions
from geoseg.errors import ClusterError
from geoseg.options import Certificates, EvaluateOptions
from geoseg.run.cluster import block_map, open_client, remote


def written(folder, security):
    """Write a client's certificates as files; name them."""
    folder.mkdir()
    role = security.get_tls_config_for_role("client")
    for name in ("ca_file", "cert", "key"):
        (folder / name).write_text(role[name])
    return [folder / name for name in ("ca_file", "cert", "key")]


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    security = Security.temporary()
    return security, written(tmp_path_factory.mktemp("tls") / "ours", security)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    return written(tmp_path_factory.mktemp("tls") / "theirs", Security.temporary())


@pytest.fixture(scope="module")
def address(ours):
    with LocalCluster(
        n_workers=1,
        processes=False,
        protocol="tls://",
        security=ours[0],
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster.scheduler_address


def refusal(address, certificates):
    with (
        pytest.raises(ClusterError) as caught,
        open_client(scheduler=address, certificates=certificates),
    ):
        pass
    return str(caught.value)


def test_a_client_with_the_clusters_certificates_works_on_it(address, ours):
    ca, cert, key = ours[1]
    options = SegmentOptions(tls_ca=ca, tls_cert=cert, tls_key=key)
    with open_client(scheduler=address, certificates=options.certificates) as client:
        assert client.submit(sum, [1, 2]).result() == 3
    some = EvaluateOptions(tls_ca=ca, tls_cert=cert, tls_key=key).certificates
    with block_map(scheduler=address, certificates=some) as map_blocks:
        assert list(map_blocks(abs, [-1])) == [1]
    assert SegmentOptions().certificates is None


def test_strangers_are_refused_in_a_sentence(address, ours, theirs):
    for files in (theirs, [ours[1][0], *theirs[1:]], [theirs[0], *ours[1][1:]]):
        assert refusal(address, Certificates(*files)) == (
            f"the scheduler at {address} and this client do not know each other's "
            f"certificates; give `tls_ca`, `tls_cert` and `tls_key` of its cluster"
        )


def test_workers_with_other_certificates_are_thought_of_where_none_is_there(
    address, ours, monkeypatch
):
    monkeypatch.setattr(remote, "someone", lambda *_: False)
    assert refusal(address, Certificates(*ours[1])) == (
        f"the scheduler at {address} has no worker; start some with 'dask worker "
        f"{address}' and certificates that its authority signed (with others a worker "
        f"ends, and logs 'TLS certificate does not match'), or have them waited for by "
        f"`wait_for_workers`"
    )


def test_files_that_are_no_certificates_are_named(address, ours, theirs, tmp_path):
    ca, cert, key = ours[1]
    assert "go together" in refusal(address, Certificates(ca, cert, None))
    gone = refusal(address, Certificates(tmp_path / "no.pem", cert, key))
    assert gone.startswith(f"{tmp_path}/no.pem cannot be read (No such file")
    assert "`tls_ca`" in gone
    other = refusal(address, Certificates(ca, cert, theirs[2]))
    assert "the last two of which belong together" in other
    assert "no certificate" in refusal(address, Certificates(key, cert, key))


def test_certificates_are_for_a_scheduler_that_speaks_tls(ours):
    some = Certificates(*ours[1])
    assert "tcp://10.0.0.1:1 is none" in refusal("tcp://10.0.0.1:1", some)
    assert "give its `scheduler`" in refusal(None, some)
