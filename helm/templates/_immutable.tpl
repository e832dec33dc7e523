{{/* Before an upgrade: changes of the StatefulSet that the API server would refuse with "field is immutable". */}}

{{- /*
Helm can read the StatefulSet in the cluster. `helm template` and Argo CD cannot, and find none.
*/ -}}
{{- define "stackset-monitor.validateImmutable" -}}
{{- $name := include "stackset-monitor.fullname" . -}}
{{- $namespace := include "stackset-monitor.namespace" . -}}
{{- $live := lookup "apps/v1" "StatefulSet" $namespace $name -}}
{{- /* Replicas that share a table are a Deployment: Helm then deletes the StatefulSet and keeps its volumes. */ -}}
{{- if and $live (not (include "stackset-monitor.shared" .)) -}}
{{- $rule := "Kubernetes does not allow a change of the claim template of a StatefulSet." -}}
{{- $orphan := printf "Pods and volumes stay if you first run: kubectl delete statefulset --namespace %s --cascade=orphan %s" $namespace $name -}}
{{- $selected := get $live.spec.selector.matchLabels "app.kubernetes.io/name" -}}
{{- if ne $selected (include "stackset-monitor.name" .) -}}
{{- fail (printf "nameOverride: the StatefulSet %s selects pods with the name %q, and Kubernetes does not allow a change of its selector; use that name" $name $selected) -}}
{{- end -}}
{{- $before := first (default (list (dict)) $live.spec.volumeClaimTemplates) -}}
{{- $after := include "stackset-monitor.claim" . | fromYaml -}}
{{- if and (empty $before) $after -}}
{{- /* Its controller would adopt pods without the volume, and cannot change their volumes. */ -}}
{{- fail (printf "persistence.enabled and persistence.existingClaim: the StatefulSet %s has no claim template. %s Its pods get a volume if you first run: kubectl delete statefulset --namespace %s %s" $name $rule $namespace $name) -}}
{{- end -}}
{{- if and $before (empty $after) -}}
{{- fail (printf "persistence.enabled and persistence.existingClaim: the StatefulSet %s has a claim template. %s %s" $name $rule $orphan) -}}
{{- end -}}
{{- if $before -}}
{{- $old := dict "annotations" (default (dict) $before.metadata.annotations) "accessModes" $before.spec.accessModes "storageClassName" (default "" $before.spec.storageClassName) "size" $before.spec.resources.requests.storage -}}
{{- range $key, $value := $old -}}
{{- $new := get $.Values.persistence $key -}}
{{- $same := eq (toJson $value) (toJson $new) -}}
{{- if eq $key "size" -}}
{{- $same = eq (include "stackset-monitor.bytes" $value) (include "stackset-monitor.bytes" $new) -}}
{{- end -}}
{{- if not $same -}}
{{- fail (printf "persistence.%s: %s in the StatefulSet %s, and %s in the values. %s %s" $key (toJson $value) $name (toJson $new) $rule $orphan) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A quantity as a number of bytes, because the API server writes 1024Mi as 1Gi. */ -}}
{{- define "stackset-monitor.bytes" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $unit := regexFind "[A-Za-z]*$" (toString .) -}}
{{- mulf (trimSuffix $unit (toString .) | float64) (default 1 (get $units $unit)) | printf "%.0f" -}}
{{- end -}}
