# The image of stackset-monitor: Python, the locked dependencies and the package; no pip, no compiler, no shell script.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" --tag stackset-monitor .

# Any image that has Python 3.11 or later with venv and glibc or musl: the dependencies come as wheels.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /build
# pip stays in an environment of its own; it installs into the other one, which is all that the image takes over.
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/stackset-monitor && mkdir state
COPY .ci/requirements/build.txt .ci/requirements/run.txt ./
# Where packages come from an index of one's own: --secret id=pip.conf,src=FILE, and its CA as id=ca.pem.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.pem \
    pip="tools/bin/python -m pip --disable-pip-version-check --no-cache-dir" \
    locked="--require-hashes --only-binary :all: --no-compile" \
    && $pip install $locked --requirement build.txt \
    && $pip --python /opt/stackset-monitor install $locked --requirement run.txt
COPY pyproject.toml README.md LICENSE source/
COPY monitor source/monitor
# Bytecode that is never compared with its source: a start in a read-only root neither compiles nor looks.
RUN pip="tools/bin/python -m pip --disable-pip-version-check --no-cache-dir" \
    && $pip wheel --no-deps --no-index --no-build-isolation --wheel-dir wheel ./source \
    && $pip --python /opt/stackset-monitor install --no-deps --no-index --no-compile wheel/*.whl \
    && /opt/stackset-monitor/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/stackset-monitor

FROM ${BASE_IMAGE}
# The official images come without the bytecode of Python's own library; a daemon in a read-only root would compile
# it at each start, for longer than all the rest takes.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -x '/(site|dist)-packages/|/test/' \
    "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/stackset-monitor /opt/stackset-monitor
COPY --from=build --chown=65532:65532 /build/state /var/lib/stackset-monitor
ENV PATH=/opt/stackset-monitor/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# A relative `state.path`, and what SQLite has to sort on disk, go here: the one place that can be written to.
WORKDIR /var/lib/stackset-monitor
VOLUME /var/lib/stackset-monitor
EXPOSE 9935
# By number: Kubernetes has to see that it is not root.
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["stackset-monitor"]
CMD ["run", "--config", "/etc/stackset-monitor/monitor.yaml"]

ARG VERSION=""
ARG REVISION=""
ARG SOURCE=""
ARG CREATED=""
LABEL org.opencontainers.image.title="stackset-monitor" \
    org.opencontainers.image.description="Watches the stack instances of AWS Service Catalog products" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"
# The label `revision` of stackset_monitor_build_info.
ENV STACKSET_MONITOR_REVISION="${REVISION}"
