{{- /* The release's name, once. */ -}}
{{- define "hansa.name" -}}
{{- $name := ternary .Release.Name (printf "%s-hansa" .Release.Name) (contains "hansa" .Release.Name) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "hansa.selector" -}}
app.kubernetes.io/name: hansa
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hansa.labels" -}}
{{ include "hansa.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "hansa.image" -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- end }}

{{- define "hansa.enrolmentUrl" -}}
{{ .Values.enrolmentUrl | default (printf "https://%s-api.%s.svc:443" (include "hansa.name" .) .Release.Namespace) }}
{{- end }}

{{- /* What every pod has. */ -}}
{{- define "hansa.pod" -}}
automountServiceAccountToken: {{ .token | default false }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
  {{- with .sysctls }}
  sysctls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- /* What every container has. */ -}}
{{- define "hansa.container" -}}
image: {{ include "hansa.image" . }}
securityContext:
  runAsNonRoot: true
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- /* A volume with some keys of the Secret: a container sees those that it needs. */ -}}
{{- define "hansa.secrets" -}}
- name: {{ .name }}
  secret:
    secretName: {{ .root.Values.secret }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}

{{- /* The authority of the database's certificate, as a mount and as a volume. */ -}}
{{- define "hansa.databaseMount" -}}
{{- if .Values.database.authority -}}
- name: database-authority
  mountPath: /etc/hansa/database
  readOnly: true
{{- end }}
{{- end }}

{{- define "hansa.databaseVolume" -}}
{{- with .Values.database.authority -}}
- name: database-authority
  configMap:
    name: {{ . }}
    items:
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- end }}

{{- /* The vault beside a role: it starts first, ends last, and answers on a socket in memory. */ -}}
{{- define "hansa.vault" -}}
- name: vault
  {{- include "hansa.container" . | nindent 2 }}
  restartPolicy: Always
  args:
    - vault
    - --database=/etc/hansa/vault/vault.url
    - --root-key=/etc/hansa/vault/root.key
    - --socket=/run/hansa/vault.sock
  resources:
    {{- toYaml .Values.vault.resources | nindent 4 }}
  volumeMounts:
    - name: vault-secrets
      mountPath: /etc/hansa/vault
      readOnly: true
    - name: socket
      mountPath: /run/hansa
    {{- with include "hansa.databaseMount" . }}{{ nindent 4 . }}{{ end }}
{{- end }}

{{- define "hansa.vaultVolumes" -}}
{{ include "hansa.secrets" (dict "root" . "name" "vault-secrets" "keys" (list "vault.url" "root.key")) }}
- name: socket
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end }}
