{{- /* Rules of egress, each as JSON: the programs' own policies and those of run pods share them. */ -}}
{{- define "sympozium.toDNS" -}}
{"to":{{ toJson .Values.networkPolicies.dns }},"ports":[{"protocol":"UDP","port":53},{"protocol":"TCP","port":53}]}
{{- end -}}

{{- define "sympozium.toBus" -}}
{{- if .Values.nats.external.url -}}
{"ports":[{"protocol":"TCP","port":{{ .Values.nats.external.port }}}]}
{{- else -}}
{"to":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":{{ toJson .Release.Namespace }}}},"podSelector":{"matchLabels":{"app.kubernetes.io/part-of":"sympozium","sympozium.ai/component":"nats"}}}],"ports":[{"protocol":"TCP","port":4222}]}
{{- end -}}
{{- end -}}

{{- define "sympozium.toAPI" -}}
{{- $to := list -}}
{{- range .Values.networkPolicies.apiServer.cidrs }}{{ $to = append $to (dict "ipBlock" (dict "cidr" .)) }}{{ end -}}
{{- $ports := list -}}
{{- range .Values.networkPolicies.apiServer.ports }}{{ $ports = append $ports (dict "protocol" "TCP" "port" .) }}{{ end -}}
{{ toJson (dict "to" $to "ports" $ports) }}
{{- end -}}

{{- define "sympozium.toStore" -}}
{{- if .Values.sessions.external.secret -}}
{"ports":[{"protocol":"TCP","port":{{ .Values.sessions.external.port }}}]}
{{- else -}}
{"to":[{"podSelector":{"matchLabels":{"app.kubernetes.io/part-of":"sympozium","sympozium.ai/component":"postgresql"}}}],"ports":[{"protocol":"TCP","port":5432}]}
{{- end -}}
{{- end -}}

{{- /* What every channel may reach: names and the bus; the controller adds its platform. */ -}}
{{- define "sympozium.channelEgress" -}}
{{- toJson (list (include "sympozium.toDNS" . | fromJson) (include "sympozium.toBus" . | fromJson)) -}}
{{- end -}}

{{- /* What the bridge of a run may reach: the bus, models, and names if it must; see runs.egress. */ -}}
{{- define "sympozium.runEgress" -}}
{{- $rules := list (include "sympozium.toBus" . | fromJson) -}}
{{- if .Values.runs.dns }}{{ $rules = append $rules (include "sympozium.toDNS" . | fromJson) }}{{ end -}}
{{- if .Values.runs.internet -}}
{{- $v4 := dict "cidr" "0.0.0.0/0" "except" (list "0.0.0.0/8" "10.0.0.0/8" "100.64.0.0/10" "127.0.0.0/8" "169.254.0.0/16" "172.16.0.0/12" "192.168.0.0/16") -}}
{{- $v6 := dict "cidr" "::/0" "except" (list "::1/128" "fc00::/7" "fe80::/10" "64:ff9b::/96") -}}
{{- $ports := list (dict "protocol" "TCP" "port" 443) -}}
{{- $rules = append $rules (dict "to" (list (dict "ipBlock" $v4) (dict "ipBlock" $v6)) "ports" $ports) -}}
{{- end -}}
{{- toJson (concat $rules .Values.runs.egress) -}}
{{- end -}}

{{- /* Who may read /metrics of channels: peers as a policy in another namespace has to say them. Where the
       system's own pods are open to all, so are these. */ -}}
{{- define "sympozium.metricsFrom" -}}
{{- $home := dict "matchLabels" (dict "kubernetes.io/metadata.name" .Release.Namespace) -}}
{{- $peers := list -}}
{{- range .Values.networkPolicies.metricsFrom -}}
{{- $isHere := and (hasKey . "podSelector") (not (hasKey . "namespaceSelector")) -}}
{{- $peers = append $peers (ternary (dict "namespaceSelector" $home "podSelector" .podSelector) . $isHere) -}}
{{- end -}}
{{- if not .Values.networkPolicies.enabled }}{{ $peers = list (dict "namespaceSelector" dict) }}{{ end -}}
{{- toJson $peers -}}
{{- end -}}
