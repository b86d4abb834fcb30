# The same content can be packed without a container engine: go run ./hack/image --push REF
FROM docker.io/library/golang:1.26.4 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY apis apis
COPY cmd cmd
COPY controllers controllers
COPY internal internal
COPY manifests manifests
ENV CGO_ENABLED=0
RUN go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/manager ./cmd/manager \
 && go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/builder ./cmd/builder \
 && printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n' > /out/passwd \
 && printf 'root:x:0:\nnonroot:x:65532:\n' > /out/group

FROM scratch
ARG VERSION=""
LABEL org.opencontainers.image.title="Meteor Operator" \
      org.opencontainers.image.source="https://github.com/meteor-zone/meteor-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/passwd /out/group /etc/
COPY --from=build /out/manager /out/builder /
USER 65532:65532
ENTRYPOINT ["/manager"]
