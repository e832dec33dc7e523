{{/*
The dashboard, with links to the addresses of `alerts`. A link without its address is removed; a test checks that what remains
is valid JSON for each combination.
*/}}

{{- define "stackset-monitor.dashboard" -}}
{{- $dashboard := .Files.Get "dashboards/stackset-monitor.json" -}}
{{- $runbooksOfFile := "https://runbooks.example.com/stackset-monitor/" -}}
{{- $pagesOfFile := "https://stackset-monitor.example.com/" -}}
{{- $link := `\{[^{}]*"url": "%s[^"]*"[^{}]*\},?` -}}
{{- $pages := trimSuffix "/" .Values.alerts.monitorUrl -}}
{{- $runbooks := "" -}}
{{- if .Values.alerts.runbookUrl -}}
{{- $runbooks = printf "%s/${1}.md" (trimSuffix "/" .Values.alerts.runbookUrl) -}}
{{- else if $pages -}}
{{- $runbooks = printf "%s/runbooks/${1}" $pages -}}
{{- end -}}
{{- if $runbooks -}}
{{- $dashboard = regexReplaceAll (printf `%s([^"]+)` (regexQuoteMeta $runbooksOfFile)) $dashboard $runbooks -}}
{{- else -}}
{{- $dashboard = regexReplaceAll (printf $link (regexQuoteMeta $runbooksOfFile)) $dashboard "" -}}
{{- end -}}
{{- if $pages -}}
{{- $dashboard = replace $pagesOfFile (printf "%s/" $pages) $dashboard -}}
{{- else -}}
{{- $dashboard = regexReplaceAll (printf $link (regexQuoteMeta $pagesOfFile)) $dashboard "" -}}
{{- end -}}
{{- $dashboard -}}
{{- end -}}
