@echo off
rem Starts invokew on Windows, with the Python launcher where there is one.
setlocal
set PYTHONHOME=
set PYTHONPATH=
set VIRTUAL_ENV=
where py >nul 2>nul
if errorlevel 1 (
    python "%~dp0invokew" %*
) else (
    py -3 "%~dp0invokew" %*
)
exit /b %errorlevel%
