# chaoskit in one image: the command line, and the network tools that its sidecars need in a target's namespace.
#
# With an ordinary network:   docker build -t chaoskit .
# Without a package index:    put wheels of all requirements (and hatchling) for the base's Python into wheelhouse/,
#                             then: docker build --build-arg BASE=my-base --build-arg PIP_NO_INDEX=1 -t chaoskit .
#                             `python -m chaoskit.demo provision` does all of that.
#
# Run it with the state kept, and with the engine it may break things on:
#
#   docker run --rm --group-add "$(stat -c %g /var/run/docker.sock)" \
#     -v /var/run/docker.sock:/var/run/docker.sock -v chaoskit-state:/var/lib/chaoskit \
#     -v "$PWD:/experiments:ro" chaoskit run my-experiment.yaml
#
# The image's user is not root: --group-add gives it the group that owns the socket, whose number differs from
# machine to machine. Whoever may talk to that socket is root on the machine all the same; hand it out like a
# root password. Sidecars run as root by their own setting, with NET_ADMIN and nothing else.
ARG BASE=python:3.12-slim

FROM ${BASE} AS tools
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates iproute2 iptables openssh-client procps \
      $(command -v python3 >/dev/null || echo python3 python3-venv) \
 && rm -rf /var/lib/apt/lists/*

FROM tools AS build
LABEL chaoskit.stage=build
ARG PIP_NO_INDEX=
ENV PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_FIND_LINKS=/src/wheelhouse
# The odd patterns match nothing where there is no lock or no wheelhouse, and are no error then.
COPY LICENSE requirements.loc[k] /src/
COPY LICENSE wheelhous[e]/* /src/wheelhouse/
RUN python3 -m venv /opt/chaoskit \
 && if [ -f /src/requirements.lock ]; then /opt/chaoskit/bin/pip install -r /src/requirements.lock; fi
COPY pyproject.toml README.md LICENSE /src/
COPY chaoskit/ /src/chaoskit/
RUN /opt/chaoskit/bin/pip install /src

FROM tools
COPY --from=build /opt/chaoskit /opt/chaoskit
# The state (run history, journals, halts) outlives the container only in a volume.
RUN useradd --uid 10001 --home-dir /var/lib/chaoskit --create-home --skel /nonexistent chaoskit \
 && chmod 0700 /var/lib/chaoskit \
 && install -d -o chaoskit /experiments
USER chaoskit
ENV PATH=/opt/chaoskit/bin:$PATH \
    HOME=/var/lib/chaoskit \
    CHAOSKIT_REPORTS=/var/lib/chaoskit/reports \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /var/lib/chaoskit
WORKDIR /experiments
ENTRYPOINT ["chaoskit"]
CMD ["--help"]
