# The image of stackset-monitor: Python, the locked dependencies and the package; no pip, no compiler, no shell script.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" --tag stackset-monitor .
#
# A tag can move. For a reproducible build, give the base image by its digest:
#
#   docker build --build-arg BASE_IMAGE=python@sha256:... --tag stackset-monitor .

# Any image that has Python 3.11 or later with venv, and glibc or musl, because all dependencies are wheels. On 3.13,
# asyncio keeps a view of what the kernel does not accept at once; on 3.11 it copies the rest of a large response.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /build
# pip is in an environment of its own and installs into the other one. Only the other one is copied into the image.
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/stackset-monitor && mkdir state
COPY .ci/requirements/build.txt .ci/requirements/run.txt ./
# For a private package index: --secret id=pip.conf,src=FILE, and its CA as --secret id=ca.pem,src=FILE.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.pem \
    pip="tools/bin/python -m pip --disable-pip-version-check --no-cache-dir" \
    locked="--require-hashes --only-binary :all: --no-compile" \
    && $pip install $locked --requirement build.txt \
    && $pip --python /opt/stackset-monitor install $locked --requirement run.txt
COPY pyproject.toml README.md LICENSE source/
COPY monitor source/monitor
COPY docs/runbooks source/docs/runbooks
# The bytecode is not compared with its source, so a start in a read-only root neither compiles nor checks anything.
RUN pip="tools/bin/python -m pip --disable-pip-version-check --no-cache-dir" \
    && $pip wheel --no-deps --no-index --no-build-isolation --wheel-dir wheel ./source \
    && $pip --python /opt/stackset-monitor install --no-deps --no-index --no-compile wheel/*.whl \
    && /opt/stackset-monitor/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/stackset-monitor

FROM ${BASE_IMAGE}
# Nothing is installed at run time. Without pip and the copy of it that ensurepip bundles, a scanner has nothing to
# report about them. Debian's packages have the copy in python-wheels.
RUN stdlib="$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && find "$(dirname "$stdlib")" -depth -regextype posix-extended \
        -regex '.*/(site|dist)-packages/(pip|setuptools|wheel|pkg_resources|_distutils_hack)(-[^/]*)?' -exec rm -rf {} + \
    && rm -rf "$stdlib/ensurepip" "$(dirname "$(command -v python3)")"/pip* /usr/share/python-wheels
# The official images lack the bytecode of the standard library. A daemon in a read-only root would compile it at each
# start, which takes longer than everything else of the start.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -x '/(site|dist)-packages/|/test/' \
    "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/stackset-monitor /opt/stackset-monitor
COPY --from=build --chown=65532:65532 /build/state /var/lib/stackset-monitor
ENV PATH=/opt/stackset-monitor/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# The only writable folder: for a relative `state.path`, and for the temporary files of SQLite.
WORKDIR /var/lib/stackset-monitor
VOLUME /var/lib/stackset-monitor
EXPOSE 9935
# By number, because Kubernetes cannot tell from a name that the user is not root (runAsNonRoot).
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["stackset-monitor"]
CMD ["run", "--config", "/etc/stackset-monitor/monitor.yaml"]

ARG VERSION=""
ARG REVISION=""
ARG SOURCE=""
ARG CREATED=""
ARG BASE_IMAGE
LABEL org.opencontainers.image.base.name="${BASE_IMAGE}" \
    org.opencontainers.image.title="stackset-monitor" \
    org.opencontainers.image.description="Watches the stack instances of AWS Service Catalog products" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"
# The value of the label `revision` of stackset_monitor_build_info.
ENV STACKSET_MONITOR_REVISION="${REVISION}"
