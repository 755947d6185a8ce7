# unspun's scoring service with its model. docs/deployment.md says how to run it and what is tested.
#
# The base image is pinned to a minor version of Python and a release of Debian. To pin its digest as well:
# docker build --build-arg PYTHON_IMAGE=python@sha256:... .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
# sha256 of model/default/manifest.json, which lists the sha256 of every other file of the model. Verdicts and /readyz
# identify the model by it. The build fails with any other model; a test keeps this value up to date.
ARG MODEL_SHA256=a2e87c96682b3e7fe9a1de6276ed9716d5730333dc39c037f22b48af4b18cf35


FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/unspun
# The libraries come first, in a layer that stays the same when only the code changes.
COPY deploy/requirements.txt deploy/requirements.txt
RUN pip --python /opt/unspun/bin/python install --no-deps --only-binary :all: --require-hashes \
        --requirement deploy/requirements.txt
COPY . .
ARG MODEL_SHA256
RUN echo "${MODEL_SHA256}  model/default/manifest.json" >/tmp/model.sha256 \
    && sha256sum --check --strict /tmp/model.sha256
# The second step uses no index, because all dependencies must be among the libraries above.
# Bytecode is compiled here, because the running image is read-only; it does not depend on the files' times.
# hadolint ignore=DL3013
RUN pip wheel --no-deps --wheel-dir /dist . \
    && pip --python /opt/unspun/bin/python install --no-index --find-links /dist 'unspun[service,feedback,documents,cluster,signing]' \
    && /opt/unspun/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/unspun/lib
# Loading the installed model checks all its files against the manifest.
WORKDIR /
RUN /opt/unspun/bin/python -c "from unspun.model.detector import Detector; Detector.load()"


FROM ${PYTHON_IMAGE}
ARG MODEL_SHA256
LABEL org.opencontainers.image.title="unspun" \
      org.opencontainers.image.description="Finds machine-paraphrased text and shows the words that give it away" \
      org.opencontainers.image.licenses="Apache-2.0" \
      unspun.model.sha256="${MODEL_SHA256}"
# /var/lib/unspun is for a volume with the file of API keys; a new volume gets its owner from here.
RUN groupadd --gid 10001 unspun \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin unspun \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/unspun
COPY --from=build /opt/unspun /opt/unspun
ENV PATH=/opt/unspun/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    UNSPUN_HOST=0.0.0.0 \
    UNSPUN_PORT=8000
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
EXPOSE 8000
# The image has no curl. http.client ignores proxies in the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; ask = http.client.HTTPConnection('127.0.0.1', int(os.environ['UNSPUN_PORT']), timeout=4); ask.request('GET', '/readyz'); sys.exit(ask.getresponse().status != 200)"]
ENTRYPOINT ["unspun"]
CMD ["serve"]
