{{- define "sympozium.exampleObjects" -}}
{{- $example := .Values.example -}}
{{- $labels := dict "app.kubernetes.io/part-of" "sympozium" -}}
{{- $metadata := dict "name" $example.name "namespace" $example.namespace "labels" $labels -}}
{{- $token := dict "apiVersion" "v1" "kind" "Secret" "metadata" (dict "name" (printf "%s-web-token" $example.name) "namespace" $example.namespace) -}}
{{- $model := dict "model" $example.model.name -}}
{{- with $example.model.baseURL }}{{ $_ := set $model "baseURL" . }}{{ end -}}
{{- with $example.systemPrompt }}{{ $_ := set $model "systemPrompt" . }}{{ end -}}
{{- $spec := dict "agents" (dict "default" $model) -}}
{{- with $example.model.secret }}{{ $_ := set $spec "authRefs" (list (dict "provider" "openai" "secret" .)) }}{{ end -}}
{{- with $example.skills }}
{{- $skills := list -}}
{{- range . }}{{ $skills = append $skills (dict "skillPackRef" .) }}{{ end -}}
{{- $_ := set $spec "skills" $skills -}}
{{- end -}}
{{- $agent := dict "apiVersion" "sympozium.ai/v1alpha1" "kind" "Agent" "metadata" $metadata "spec" $spec -}}
{{- $web := dict "port" 8400 "tokenSecretRef" (printf "%s-web-token" $example.name) -}}
{{- $channelSpec := dict "type" "web" "agentRef" $example.name "access" (dict "users" (list "owner")) "web" $web -}}
{{- $channel := dict "apiVersion" "sympozium.ai/v1alpha1" "kind" "Channel" "metadata" (merge (dict "name" "web") $metadata) "spec" $channelSpec -}}
{{- toJson (list $token $agent $channel) -}}
{{- end -}}
