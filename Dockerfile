# The operator's image, for any platform:
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=0.3.0 -t REGISTRY/meteor-operator:TAG --push --sbom=true .
# hack/image packs the same content without a container engine: make images
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26.4 AS build
ARG TARGETOS=linux
ARG TARGETARCH=amd64
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY LICENSE ./
COPY apis apis
COPY cmd cmd
COPY controllers controllers
COPY hack/image hack/image
COPY internal internal
COPY manifests manifests
COPY test/cluster/pack test/cluster/pack
RUN go run ./hack/image --platforms "$TARGETOS/$TARGETARCH" --files /out

FROM scratch
ARG VERSION=""
LABEL org.opencontainers.image.title="Meteor Operator" \
      org.opencontainers.image.description="Notebook images from existing images, lists of packages and git repositories" \
      org.opencontainers.image.source="https://github.com/meteor-zone/meteor-operator" \
      org.opencontainers.image.vendor="Meteor Operator contributors" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/manager"]
