{{- /* Ports that policies open to servers of one's own are those where the servers are. */ -}}
{{- define "sympozium.externalPorts" -}}
{{- $bus := .Values.nats.external -}}
{{- $store := .Values.sessions.external -}}
{{- if not $bus.url -}}
{{- if ne (int $bus.port) 4222 -}}
{{- fail (printf "nats.external.port is %v, and nats.external.url is empty, so the chart's own bus is used; set nats.external.url, or leave the port out" $bus.port) -}}
{{- end -}}
{{- else -}}
{{- range splitList "," $bus.url -}}
{{- $port := urlParse . | dig "host" "" | regexFind ":[0-9]+$" | trimPrefix ":" | default "4222" -}}
{{- if ne $port (toString $bus.port) -}}
{{- fail (printf "nats.external.url leads to port %s, and nats.external.port, which policies open, is %v; make them the same" $port $bus.port) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (not $store.secret) (ne (int $store.port) 5432) -}}
{{- fail (printf "sessions.external.port is %v, and sessions.external.secret is empty, so the chart's own PostgreSQL is used; set sessions.external.secret, or leave the port out" $store.port) -}}
{{- end -}}
{{- end -}}

{{- /* A server that was alone keeps its streams beside those of three, where nobody reads them; and the other way
       round. What is installed is seen by `helm upgrade`, not by `helm template`. */ -}}
{{- define "sympozium.serversOfBus" -}}
{{- $wanted := int .Values.nats.replicas -}}
{{- $held := lookup "apps/v1" "StatefulSet" .Release.Namespace "sympozium-nats" | default dict -}}
{{- range dig "spec" "template" "spec" "initContainers" list $held -}}
{{- range .env -}}
{{- $installed := .value | default "" | splitList "," | len -}}
{{- if and (eq .name "SYMPOZIUM_NATS_ROUTES") (ne $installed $wanted) -}}
{{- fail (printf "nats.replicas is %d, and the bus that is installed has %d: what that holds would stay without an answer; set nats.replicas=%d, the number is chosen at installation" $wanted $installed $installed) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The streams reserve what they may take, in nine tenths of the volume: 2112Mi. */ -}}
{{- define "sympozium.roomOfBus" -}}
{{- $size := .Values.nats.storage.size -}}
{{- $mebibytes := mul (int64 (regexFind "^[0-9]+" $size)) (get (dict "Mi" 1 "Gi" 1024 "Ti" 1048576) (regexFind "[MGT]i$" $size)) -}}
{{- if and (not .Values.nats.external.url) (lt $mebibytes (int64 2347)) -}}
{{- fail (printf "nats.storage.size is %s, and the streams need 2347Mi to be made at all; make it larger" $size) -}}
{{- end -}}
{{- end -}}

{{- /* Whether a run may reach the example's model, as far as a name and a port say it. */ -}}
{{- define "sympozium.wayToModel" -}}
{{- $model := .Values.example.model -}}
{{- if and .Values.example.enabled $model.baseURL -}}
{{- $url := urlParse $model.baseURL -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") -}}
{{- $isOpened := false -}}
{{- range .Values.runs.egress -}}
{{- if not .ports }}{{ $isOpened = true }}{{ end -}}
{{- range .ports -}}
{{- $isNamed := or (not .port) (kindIs "string" .port) -}}
{{- if or $isNamed (and (le (int .port) (int $port)) (ge (int (.endPort | default .port)) (int $port))) }}{{ $isOpened = true }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $isInside := eq (include "sympozium.isInside" $url.hostname) "yes" -}}
{{- if not (or $isOpened (and .Values.runs.internet (eq $port "443") (not $isInside))) -}}
{{- fail (printf "example.model.baseURL is %q, and runs may not reach it: runs.internet opens port 443 of public addresses alone; add a rule for port %s to runs.egress" $model.baseURL $port) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* yes: a host that is surely not outside, by its name or its private address. */ -}}
{{- define "sympozium.isInside" -}}
{{- if or (regexMatch "^[^.:]+$" .) (regexMatch "\\.(svc|local|internal|localhost)\\.?$" .) (regexMatch "^(10|127)\\.[0-9.]+$|^192\\.168\\.[0-9.]+$|^169\\.254\\.[0-9.]+$|^172\\.(1[6-9]|2[0-9]|3[01])\\.[0-9.]+$" .) }}yes{{ end -}}
{{- end -}}
