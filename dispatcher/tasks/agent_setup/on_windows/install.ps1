# Installs an agent from $Archive and starts it as a scheduled task; whatever fails, what was there before is there
# again. $Files is a JSON object of texts by their names, $Requirements a JSON list for pip. Tells the agent's id.
param([string]$Python, [string]$Directory, [string]$Archive, [string]$Files, [string]$Requirements, [string]$Token)
$ErrorActionPreference = 'Stop'
$name = 'Dispatcher agent'
$new = "$Directory.new"; $old = "$Directory.old"
function Invoke-Program([string]$What, [string]$Program, [string[]]$Options, [string]$Given) {
    $ErrorActionPreference = 'Continue'  # what a program says of its errors ends nothing
    $said = $Given | & $Program $Options 2>&1 | Out-String
    $ErrorActionPreference = 'Stop'
    if ($LASTEXITCODE -ne 0) { throw "${What}: $($said.Trim())" }
}
function Stop-Agent([string]$Place) {
    $task = Get-ScheduledTask -TaskName $name -ErrorAction SilentlyContinue
    if ($task) { Stop-ScheduledTask -TaskName $name; Unregister-ScheduledTask -TaskName $name -Confirm:$false }
    $prefix = (Join-Path $Place 'program') + '\'
    Get-CimInstance Win32_Process |
        Where-Object { $_.ExecutablePath -and $_.ExecutablePath.StartsWith($prefix, 'OrdinalIgnoreCase') -or
            $_.CommandLine -and $_.CommandLine.IndexOf($prefix, [StringComparison]::OrdinalIgnoreCase) -ge 0 } |
        ForEach-Object { & taskkill.exe /T /F /PID $_.ProcessId 2>&1 | Out-Null }
}
function Start-Agent([string]$Place) {
    $config = Join-Path $Place 'agent.toml'
    $options = "-I -m dispatcher agent --config `"$config`""
    $pin = Join-Path $Place 'pin.pem'
    if (Test-Path -LiteralPath $pin) { $options += " --pin `"$pin`"" }
    $action = New-ScheduledTaskAction -Execute (Join-Path $Place 'program\Scripts\python.exe') -Argument $options
    $trigger = New-ScheduledTaskTrigger -AtStartup
    $user = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount -RunLevel Highest
    $settings = New-ScheduledTaskSettingsSet -RestartCount 3 -RestartInterval (New-TimeSpan -Minutes 1) `
        -ExecutionTimeLimit ([TimeSpan]::Zero) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
    Register-ScheduledTask -TaskName $name -Action $action -Trigger $trigger -Principal $user -Settings $settings |
        Out-Null
    Start-ScheduledTask -TaskName $name
}
function Remove-Place([string]$Place) {
    if (Test-Path -LiteralPath $Place) { Remove-Item -LiteralPath $Place -Recurse -Force }
}
Remove-Place $new
if ((Test-Path -LiteralPath $old) -and -not (Test-Path -LiteralPath $Directory)) { Move-Item -LiteralPath $old $Directory }
Remove-Place $old
$isAside = $false
try {
    New-Item -ItemType Directory -Path $new | Out-Null
    # Only administrators and the system: the identity of the agent will be in it.
    & icacls.exe $new /inheritance:r /grant '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-18:(OI)(CI)F' | Out-Null
    Set-Content -LiteralPath (Join-Path $new 'agent.json') -Value '{}' -Encoding ASCII
    $packages = @($Requirements | ConvertFrom-Json | ForEach-Object { $_ })
    $venv = @('-I', '-m', 'venv') + $(if ($packages) { @() } else { @('--without-pip') }) + @("$new\program")
    Invoke-Program 'a virtual environment cannot be made' $Python $venv ''
    $own = "$new\program\Scripts\python.exe"
    if ($packages) {
        $pip = @('-m', 'pip', '--disable-pip-version-check', 'install', '--no-input') + $packages
        Invoke-Program 'pip cannot install what the agent needs' $own $pip ''
    }
    $unpack = 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])'
    Invoke-Program 'the program cannot be unpacked' $own @('-I', '-c', $unpack, $Archive, "$new\program\Lib\site-packages") ''
    $utf8 = New-Object Text.UTF8Encoding $false
    ($Files | ConvertFrom-Json).PSObject.Properties |
        ForEach-Object { [IO.File]::WriteAllText((Join-Path $new $_.Name), $_.Value, $utf8) }
    $enrol = @('-I', '-m', 'dispatcher', 'agent', '--enrol-only', '--enrol-token-stdin', '--log-level', 'error',
        '--config', "$new\agent.toml", '--home', "$new\home")
    if (Test-Path -LiteralPath "$new\ca.pem") { $enrol += @('--ca-file', "$new\ca.pem") }
    if (Test-Path -LiteralPath "$new\pin.pem") { $enrol += @('--pin', "$new\pin.pem") }
    Invoke-Program 'it cannot enrol' $own $enrol $Token
    $id = [string](Get-Content -LiteralPath "$new\home\identity.json" -Raw | ConvertFrom-Json).agent_id
    Set-Content -LiteralPath (Join-Path $new 'agent.json') -Value "{`"agent_id`": `"$id`"}" -Encoding ASCII
    if (Test-Path -LiteralPath $Directory) {
        Stop-Agent $Directory
        Move-Item -LiteralPath $Directory $old
        $isAside = $true
    }
    Move-Item -LiteralPath $new $Directory
    Start-Agent $Directory
    Start-Sleep -Seconds 2
    if ((Get-ScheduledTask -TaskName $name).State -ne 'Running') { throw 'the scheduled task does not go on running' }
} catch {
    $problem = $_
    Stop-Agent $Directory
    if ($isAside) {
        Remove-Place $Directory
        Move-Item -LiteralPath $old $Directory
        Start-Agent $Directory
    } elseif ((Test-Path -LiteralPath $Directory) -and -not (Test-Path -LiteralPath $new)) {
        Remove-Place $Directory
    }
    Remove-Place $new
    throw $problem
} finally {
    Remove-Item -LiteralPath $Archive -Force -ErrorAction SilentlyContinue
}
Remove-Place $old
@{ agent_id = $id; how = "as the scheduled task $name" } | ConvertTo-Json -Compress
