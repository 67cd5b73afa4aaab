"""An object store on this machine that speaks S3: moto's server, as a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import boto3
import requests

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "very-secret-key",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@contextmanager
def object_store(host="127.0.0.1"):
    """Start one and give the settings that reach it, for the environment."""
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, **quiet)
    try:
        _wait_for(host, port)
        yield {**KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    finally:
        server.terminate()
        server.wait()


def _wait_for(host: str, port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("moto's server does not start")


def make_bucket(settings, name):
    """Make a bucket."""
    client = boto3.client("s3", endpoint_url=settings["AWS_ENDPOINT_URL"])
    client.create_bucket(Bucket=name)


@contextmanager
def keys_refused(settings):
    """Let the store refuse everybody's keys for a while."""
    address = f"{settings['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
    requests.post(address, data="0", timeout=9)
    try:
        yield
    finally:
        requests.post(address, data="inf", timeout=9)
