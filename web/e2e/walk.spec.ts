import { readFileSync } from 'node:fs'
import AxeBuilder from '@axe-core/playwright'
import { expect, test, type Browser, type Page } from '@playwright/test'

interface Dev {
  users: { tenant: string; email: string; password: string }[]
  keys: Record<string, string>
}

const dev = JSON.parse(readFileSync(process.env.HANSA_DEV ?? '', 'utf8')) as Dev
/** A consortium of this run: the test can be repeated on one installation. */
const NAME = `walk-${Date.now().toString(36)}`

/** Signs a tenant's administrator in, in a browser of its own. */
async function signedIn(browser: Browser, tenant: string): Promise<Page> {
  const user = dev.users.find((one) => one.tenant === tenant)
  if (user === undefined) throw new Error(`no user of ${tenant}`)
  const page = await (await browser.newContext()).newPage()
  await page.goto('/')
  await page.getByLabel('Tenant').fill(user.tenant)
  await page.getByLabel('E-mail').fill(user.email)
  await page.getByLabel('Password', { exact: true }).fill(user.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('heading', { name: 'Consortiums' })).toBeVisible()
  return page
}

const dialog = (page: Page) => page.getByRole('dialog')

async function giveKey(page: Page, tenant: string): Promise<void> {
  const path = dev.keys[tenant]
  if (path === undefined) throw new Error(`no key of ${tenant}`)
  await dialog(page).locator('input[type=file]').setInputFiles(path)
}

/** Colours in the middle of a transition are nobody's. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const ends = (one: Animation) => one.effect?.getComputedTiming().endTime !== Infinity
    await Promise.allSettled(document.getAnimations().filter(ends).map((one) => one.finished))
  })
}

/** What is wrong with the page for people who do not see it. */
async function expectAccessible(page: Page): Promise<void> {
  await settled(page)
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
  const found = await new AxeBuilder({ page }).withTags(tags).analyze()
  expect(found.violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([])
}

const row = (page: Page, node: string) => page.getByRole('row', { name: new RegExp(`^${node}\\b`) })

/** The page fits: tables scroll inside themselves, the page does not sideways. */
async function expectFits(page: Page): Promise<void> {
  const wider = () => document.documentElement.scrollWidth - window.innerWidth
  expect(await page.evaluate(wider), 'pixels that stick out').toBeLessThanOrEqual(0)
}

async function choose(page: Page, what: string, value: string): Promise<void> {
  await page.getByRole('combobox', { name: what }).click()
  await page.getByTitle(value, { exact: true }).click()
  await expect(page.getByRole('listbox')).toHaveCount(0)
}

test('a wrong password says so', async ({ page }) => {
  await page.goto('/')
  await page.getByLabel('Tenant').fill('alpha')
  await page.getByLabel('E-mail').fill('admin@alpha.example')
  await page.getByLabel('Password', { exact: true }).fill('not the password')
  await page.getByRole('button', { name: 'Sign in' }).click()
  const alert = page.getByRole('alert')
  await expect(alert).toContainText('not right')
  await expect(alert).toContainText('Request ')
  await expectAccessible(page)
})

test('without a session every page leads to the sign-in, and unknown ones say so', async ({
  page,
  browser,
}) => {
  await page.goto('/app/invitations')
  await expect(page.getByRole('heading', { name: 'Sign in to Hansa' })).toBeVisible()
  const own = await signedIn(browser, 'gamma')
  await expect(own.getByText('No consortiums yet')).toBeVisible()
  // Another tenant's consortium and one that never was look alike.
  await own.goto('/app/consortiums/01990000-0000-7000-8000-000000000000')
  await expect(own.getByRole('alert')).toContainText('It does not exist')
  await expect(own.getByRole('alert')).toContainText('Request ')
  await own.goto('/app/nowhere')
  await expect(own.getByRole('heading', { name: 'There is no such page.' })).toBeVisible()
  await own.getByRole('link', { name: 'To the consortiums' }).click()
  await expect(own.getByRole('heading', { name: 'Consortiums' })).toBeVisible()
})

test('the demo is shown alive, in two languages and two themes', async ({ browser }) => {
  const page = await signedIn(browser, 'alpha')
  await expectAccessible(page)
  await page.getByRole('link', { name: 'Demo consortium' }).click()
  await expect(page).toHaveTitle('Demo consortium · Hansa')
  await expect(page.getByRole('status').first()).toContainText('All nodes agree')
  for (const node of ['a1', 'a2', 'b1', 'b2']) {
    await expect(row(page, node)).toContainText('Running')
    await expect(row(page, node)).toContainText('In agreement')
  }
  // Only the own member's nodes can be stopped.
  await expect(page.getByRole('button', { name: 'Stop a1' })).toBeVisible()
  await expect(page.getByRole('button', { name: 'Stop b1' })).toHaveCount(0)
  await expectAccessible(page)
  await choose(page, 'Theme', 'Dark')
  await expectAccessible(page)
  await choose(page, 'Language', '简体中文')
  await expect(row(page, 'a1')).toContainText('运行中')
  await expect(page.getByRole('status').first()).toContainText('全部节点一致')
  expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN')
  await expectAccessible(page)
  // Both are kept, and a telephone shows the same.
  await page.setViewportSize({ width: 390, height: 844 })
  await page.reload()
  await expect(row(page, 'a1')).toContainText('运行中')
  expect(await page.evaluate(() => document.documentElement.style.colorScheme)).toBe('dark')
  await expectFits(page)
})

test('a stopped node is shown as such to both members, and the ledger as degraded', async ({
  browser,
}) => {
  const alpha = await signedIn(browser, 'alpha')
  const beta = await signedIn(browser, 'beta')
  for (const page of [alpha, beta]) {
    await page.getByRole('link', { name: 'Demo consortium' }).click()
    await expect(page.getByRole('status').first()).toContainText('All nodes agree')
  }
  await alpha.getByRole('button', { name: 'Stop a2' }).click()
  await alpha.getByRole('tooltip').getByRole('button', { name: 'Stop' }).click()
  for (const page of [alpha, beta]) {
    await expect(row(page, 'a2')).toContainText('Stopped')
    await expect(row(page, 'a1')).toContainText('In agreement')
    await expect(page.getByRole('status').first()).toContainText('Degraded')
    await expect(page.getByRole('status').first()).toContainText('3 of 4 nodes take part')
  }
  await expectAccessible(alpha)
  await alpha.getByRole('button', { name: 'Start a2' }).click()
  for (const page of [alpha, beta]) {
    await expect(row(page, 'a2')).toContainText('In agreement')
    await expect(page.getByRole('status').first()).toContainText('All nodes agree')
  }
})

test('two members found a consortium and bring a ledger to life', async ({ browser }) => {
  const alpha = await signedIn(browser, 'alpha')
  await alpha.getByRole('button', { name: 'Create consortium' }).click()
  await dialog(alpha).getByLabel('Name').fill(NAME)
  await dialog(alpha).getByLabel('Title').fill(NAME)
  await giveKey(alpha, 'alpha')
  await dialog(alpha).getByRole('button', { name: 'Create consortium' }).click()
  await alpha.getByRole('link', { name: NAME }).click()
  await alpha.getByRole('button', { name: 'Invite a tenant' }).click()
  await dialog(alpha).getByLabel("Tenant's name").fill('beta')
  await dialog(alpha).getByRole('button', { name: 'Invite a tenant' }).click()
  await expect(dialog(alpha)).toBeHidden()

  const beta = await signedIn(browser, 'beta')
  await beta.getByRole('link', { name: 'Invitations' }).click()
  await beta.getByRole('row', { name: NAME }).getByRole('button', { name: 'Accept' }).click()
  await giveKey(beta, 'beta')
  await dialog(beta).getByRole('button', { name: 'Accept' }).click()
  await expect(beta.getByRole('row', { name: NAME })).toContainText('Accepted')

  await alpha.getByRole('button', { name: 'Create ledger' }).click()
  await dialog(alpha).getByLabel('Name').fill('main')
  await dialog(alpha).getByRole('button', { name: 'Create ledger' }).click()
  await beta.getByRole('link', { name: 'Consortiums' }).click()
  await beta.getByRole('link', { name: NAME }).click()
  for (const [page, name] of [
    [alpha, 'a1'],
    [alpha, 'a2'],
    [beta, 'b1'],
    [beta, 'b2'],
  ] as const) {
    await page.getByRole('button', { name: 'Add node' }).click()
    await dialog(page).getByLabel('Name').fill(name)
    await dialog(page).getByRole('button', { name: 'Add node' }).click()
    await expect(dialog(page)).toBeHidden()
    await expect(row(page, name)).toContainText('Enrolled')
  }
  await alpha.getByRole('button', { name: 'Launch' }).click()
  await expect(alpha.getByText('Members sign')).toBeVisible()
  for (const [page, tenant] of [
    [alpha, 'alpha'],
    [beta, 'beta'],
  ] as const) {
    await page.getByRole('button', { name: 'Sign the charter' }).click()
    // What is signed is shown before: who the members are, by their keys.
    await expect(dialog(page)).toContainText('alpha')
    await expect(dialog(page)).toContainText('beta')
    await expectAccessible(page)
    await giveKey(page, tenant)
    await dialog(page).getByRole('button', { name: 'Sign the charter' }).click()
    await expect(dialog(page)).toBeHidden()
  }
  for (const node of ['a1', 'a2', 'b1', 'b2']) {
    await expect(row(beta, node)).toContainText('In agreement')
  }
  await expect(beta.getByRole('status').first()).toContainText('All nodes agree')
})
