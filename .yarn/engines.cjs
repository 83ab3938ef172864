// Stops `yarn install` at once on a Node the repository does not run on, instead of failing late on a missing built-in module.
module.exports = {
  name: 'plugin-engines',
  factory: () => ({
    hooks: {
      validateProject(_project, report) {
        const wanted = require('fs').readFileSync('.nvmrc', 'utf8').trim().replace(/^v/, '');
        const [major, minor] = process.versions.node.split('.').map(Number);
        if (major !== Number(wanted.split('.')[0]) || minor < 16)
          report.reportError(0, `This repository needs Node ${wanted} (see .nvmrc); this is ${process.version}. ./mc fetches it for you.`);
      },
    },
  }),
};
