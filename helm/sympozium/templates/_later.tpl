{{- /* Values that the chart gained after its first release, with their defaults as in values.yaml. A release
       that is upgraded with --reuse-values does not have them. */ -}}
{{- define "sympozium.laterValues" -}}
runs: {dns: false, volume: Memory}
placement: {priority: 0}
tenants: {quota: {}, limits: []}
{{- end -}}

{{- /* Give the values that are not there their defaults. It stands first in each template that reads one. */ -}}
{{- define "sympozium.complete" -}}
{{- include "sympozium.fill" (dict "values" .Values "defaults" (include "sympozium.laterValues" . | fromYaml)) -}}
{{- end -}}

{{- define "sympozium.fill" -}}
{{- $values := .values -}}
{{- range $name, $default := .defaults -}}
{{- if not (hasKey $values $name) -}}
{{- $_ := set $values $name $default -}}
{{- else if and $default (kindIs "map" $default) -}}
{{- include "sympozium.fill" (dict "values" (get $values $name) "defaults" $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}
