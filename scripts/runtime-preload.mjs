// What AVA asks Node for and other runtimes do not have; nothing of it concerns the tests.

import v8 from 'node:v8'

v8.takeCoverage = () => {}
