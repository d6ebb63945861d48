{{- /* What every object of the release bears, for one listing of all of them. */ -}}
{{- define "sympozium.labels" -}}
app.kubernetes.io/name: sympozium
app.kubernetes.io/part-of: sympozium
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
sympozium.ai/component: {{ .component }}
{{- end -}}

{{- /* By which pods of a component are known; it never changes. */ -}}
{{- define "sympozium.selector" -}}
app.kubernetes.io/part-of: sympozium
sympozium.ai/component: {{ . }}
{{- end -}}

{{- /* The reference of an image of ours: registry, name, and a digest or a tag. */ -}}
{{- define "sympozium.image" -}}
{{- $images := .root.Values.images -}}
{{- $image := get $images .name -}}
{{- $path := printf "%s/%s" $images.registry $image.repository | trimPrefix "/" -}}
{{- if $image.digest }}{{ $path }}@{{ $image.digest }}{{ else }}{{ $path }}:{{ $images.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{- define "sympozium.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* Pod Security "restricted". */ -}}
{{- define "sympozium.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "sympozium.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The PriorityClass that the chart makes. Its value cannot be changed, so another value is another class. */ -}}
{{- define "sympozium.ownPriorityClass" -}}
{{- with .Values.placement.priority }}sympozium-{{ int . }}{{ end -}}
{{- end -}}

{{- /* Where any pod of the release goes. */ -}}
{{- define "sympozium.nodes" -}}
{{- include "sympozium.complete" . -}}
{{- $placement := .Values.placement }}
{{- with $placement.priorityClassName | default (include "sympozium.ownPriorityClass" .) }}
priorityClassName: {{ . }}
{{- end }}
{{- with $placement.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $placement.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- end -}}

{{- /* Where the pods of a component go: apart from each other where there is a choice. */ -}}
{{- define "sympozium.placement" -}}
{{- include "sympozium.nodes" .root }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "sympozium.selector" $.component | nindent 8 }}
  {{- end }}
{{- end -}}

{{- /* Where programs and pods find the bus. */ -}}
{{- define "sympozium.natsURL" -}}
{{- .Values.nats.external.url | default (printf "nats://sympozium-nats.%s.svc:4222" .Release.Namespace) -}}
{{- end -}}

{{- define "sympozium.busSecret" -}}
{{- .Values.nats.external.secret | default "sympozium-bus" -}}
{{- end -}}

{{- define "sympozium.storeSecret" -}}
{{- .Values.sessions.external.secret | default "sympozium-store" -}}
{{- end -}}

{{- /* The way of an init container to the API server, in pods whose main container has none. */ -}}
{{- define "sympozium.apiToken" -}}
- name: api-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 600}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
{{- end -}}

{{- /* One step of `python -m sympozium_controller.setup`. */ -}}
{{- define "sympozium.setup" -}}
name: setup
image: {{ include "sympozium.image" (dict "root" .root "name" "controller") }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
command: [python, -m, sympozium_controller.setup, {{ .step }}]
securityContext:
  {{- include "sympozium.containerSecurity" . | nindent 2 }}
resources:
  requests: {cpu: 50m, memory: 64Mi}
  limits: {memory: 128Mi}
{{- end -}}

{{- /* The reference of a server's image that others publish. */ -}}
{{- define "sympozium.serverImage" -}}
{{- .repository }}:{{ .tag }}{{ with .digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- /* A manifest that one machine reads too, as a release has it. */ -}}
{{- define "sympozium.manifest" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- .text
  | replace "namespace: sympozium-system" (printf "namespace: %s" $namespace)
  | replace "'sympozium-system'" (printf "'%s'" $namespace)
  | replace "system:serviceaccount:sympozium-system:" (printf "system:serviceaccount:%s:" $namespace)
  | replace "app.kubernetes.io/managed-by: sympozium" (printf "app.kubernetes.io/managed-by: %s" .root.Release.Service) -}}
{{- end -}}
