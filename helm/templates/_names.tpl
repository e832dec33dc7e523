{{/* Names, labels and annotations of all manifests. */}}

{{- define "stackset-monitor.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* 52 characters: a label of the pods contains this name and a revision hash of up to 11, and is limited to 63. */ -}}
{{- define "stackset-monitor.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "stackset-monitor.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "stackset-monitor.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "stackset-monitor.selectorLabels" -}}
app.kubernetes.io/name: {{ include "stackset-monitor.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- /*
Name, namespace, labels and annotations of an object. Arguments: root, and optionally suffix, namespace, labels,
annotations (maps), component and required (annotations that users cannot change).
Maps are merged, because two equal keys in one map are invalid YAML. An object in another namespace has the namespace of
the release in its name, because releases of several namespaces may have objects there.
*/ -}}
{{- define "stackset-monitor.metadata" -}}
{{- $own := include "stackset-monitor.namespace" .root -}}
{{- $namespace := default $own .namespace -}}
{{- $name := printf "%s%s" (include "stackset-monitor.fullname" .root) (default "" .suffix) -}}
{{- $standard := include "stackset-monitor.selectorLabels" .root | fromYaml -}}
{{- with .component -}}
{{- $_ := set $standard "app.kubernetes.io/component" . -}}
{{- $_ := set $standard "app.kubernetes.io/name" (printf "%s-%s" (get $standard "app.kubernetes.io/name" | trunc 56) .) -}}
{{- end -}}
{{- $chart := printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- $changeable := dict "app.kubernetes.io/version" .root.Chart.AppVersion "app.kubernetes.io/managed-by" .root.Release.Service "helm.sh/chart" $chart -}}
{{- $labels := mergeOverwrite $changeable (default (dict) .root.Values.commonLabels) (default (dict) .labels) $standard -}}
{{- $annotations := mergeOverwrite (dict) (default (dict) .root.Values.commonAnnotations) (default (dict) .annotations) (default (dict) .required) -}}
name: {{ ternary $name (printf "%s-%s" $name $own | trimSuffix "-") (eq $namespace $own) | quote }}
namespace: {{ $namespace | quote }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "stackset-monitor.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "stackset-monitor.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "stackset-monitor.image" -}}
{{- $image := .Values.image -}}
{{- $registry := default $image.registry (default (dict) .Values.global).imageRegistry -}}
{{- $repository := ternary (printf "%s/%s" (trimSuffix "/" (default "" $registry)) $image.repository) $image.repository (not (empty $registry)) -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* The list of imagePullSecrets; both names and objects are allowed. */ -}}
{{- define "stackset-monitor.imagePullSecrets" -}}
{{- $secrets := list -}}
{{- range concat (default list (default (dict) .Values.global).imagePullSecrets) (default list .Values.imagePullSecrets) -}}
{{- $secrets = append $secrets (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- with uniq $secrets -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "stackset-monitor.scheme" -}}
{{- ternary "HTTP" "HTTPS" (empty .Values.web.tls.secretName) -}}
{{- end -}}
