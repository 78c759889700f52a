import { createRootRoute, createRoute, createRouter, redirect } from '@tanstack/react-router'

import { Frame } from './parts/Frame'
import { ClustersPage } from './pages/ClustersPage'
import { ConsortiumPage } from './pages/ConsortiumPage'
import { ConsortiumsPage } from './pages/ConsortiumsPage'
import { InvitationsPage } from './pages/InvitationsPage'
import { NotFoundPage } from './pages/NotFoundPage'
import { SignInPage } from './pages/SignInPage'

const root = createRootRoute({ component: Frame, notFoundComponent: NotFoundPage })

const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/app/consortiums' })
  },
})
const signIn = createRoute({ getParentRoute: () => root, path: '/app/sign-in', component: SignInPage })
const consortiums = createRoute({
  getParentRoute: () => root,
  path: '/app/consortiums',
  component: ConsortiumsPage,
})
const consortium = createRoute({
  getParentRoute: () => root,
  path: '/app/consortiums/$consortiumId',
  component: function Page() {
    return <ConsortiumPage id={consortium.useParams().consortiumId} />
  },
})
const clusters = createRoute({
  getParentRoute: () => root,
  path: '/app/clusters',
  component: ClustersPage,
})
const invitations = createRoute({
  getParentRoute: () => root,
  path: '/app/invitations',
  component: InvitationsPage,
})

export const router = createRouter({
  routeTree: root.addChildren([home, signIn, consortiums, consortium, invitations, clusters]),
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
