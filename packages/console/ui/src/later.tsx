import type { ReactNode } from 'react'
import { Route, Switch } from 'wouter'
import { Activity } from './screens/activity/activity.tsx'
import { Alerts } from './screens/alerts/alerts.tsx'
import { Backend } from './screens/backend/backend.tsx'
import { Clear } from './screens/clear/clear.tsx'
import { Keys } from './screens/keys/keys.tsx'
import { Tests } from './screens/tests/tests.tsx'
import { Types } from './screens/types/types.tsx'

/** Every screen but the first, in one file of the build: a host with little room pays for each file. */
export function Later(): ReactNode {
  return (
    <Switch>
      <Route path="/backend" component={Backend} />
      <Route path="/types" component={Types} />
      <Route path="/keys" component={Keys} />
      <Route path="/clear" component={Clear} />
      <Route path="/tests" component={Tests} />
      <Route path="/alerts" component={Alerts} />
      <Route path="/activity" component={Activity} />
    </Switch>
  )
}
