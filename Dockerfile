# unspun, the scoring service, with its model. How to run it, and what was tested of it: docs/deployment.md.
#
# The base is pinned to a minor version of Python and a release of Debian. Its digest could not be looked up where this
# file is developed; to pin one: docker build --build-arg PYTHON_IMAGE=python@sha256:... .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
# sha256 of model/default/manifest.json, which in turn lists the sha256 of every other file of the model. Verdicts and
# /readyz name the model by it. The build fails on any other; a test keeps it that of the model that ships.
ARG MODEL_SHA256=d44565883c44970b65073bbf539631b05307b5138fd35ff9c3b72adcbb8cbe5f


FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/unspun
# The libraries first, in a layer that changes to the code leave alone.
COPY deploy/requirements.txt deploy/requirements.txt
RUN pip --python /opt/unspun/bin/python install --no-deps --requirement deploy/requirements.txt
COPY . .
ARG MODEL_SHA256
RUN echo "${MODEL_SHA256}  model/default/manifest.json" >/tmp/model.sha256 \
    && sha256sum --check --strict /tmp/model.sha256
# No index for the second step: what unspun asks for must all be among the libraries above. Its version is this tree's.
# Bytecode is made here, since nothing can be written where the image runs; it is valid whatever the files' times.
# hadolint ignore=DL3013
RUN pip wheel --no-deps --wheel-dir /dist . \
    && pip --python /opt/unspun/bin/python install --no-index --find-links /dist 'unspun[service,feedback,cluster]' \
    && /opt/unspun/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/unspun/lib
# Loads the model as it is installed: it is refused if a file of it is not the one that the manifest lists.
WORKDIR /
RUN /opt/unspun/bin/python -c "from unspun.model.detector import Detector; Detector.load()"


FROM ${PYTHON_IMAGE}
ARG MODEL_SHA256
LABEL org.opencontainers.image.title="unspun" \
      org.opencontainers.image.description="Finds machine-paraphrased text and shows the words that give it away" \
      org.opencontainers.image.licenses="Apache-2.0" \
      unspun.model.sha256="${MODEL_SHA256}"
# /var/lib/unspun: where a volume with the file of API keys goes; a new one takes its owner from here.
RUN groupadd --gid 10001 unspun \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin unspun \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/unspun
COPY --from=build /opt/unspun /opt/unspun
ENV PATH=/opt/unspun/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    UNSPUN_HOST=0.0.0.0 \
    UNSPUN_PORT=8000
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8000
# The image has no curl; http.client heeds no proxy that the environment may name.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; ask = http.client.HTTPConnection('127.0.0.1', int(os.environ['UNSPUN_PORT']), timeout=4); ask.request('GET', '/readyz'); sys.exit(ask.getresponse().status != 200)"]
ENTRYPOINT ["unspun"]
CMD ["serve"]
