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

/** What is wrong with the page for people who do not see it. */
async function expectAccessible(page: Page): Promise<void> {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
  const found = await new AxeBuilder({ page }).withTags(tags).analyze()
  expect(found.violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([])
}

test('a wrong password says so', async ({ page }) => {
  await page.goto('/')
  await page.getByLabel('Tenant').fill('alpha')
  await page.getByLabel('E-mail').fill('admin@alpha.example')
  await page.getByLabel('Password', { exact: true }).fill('not the password')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('alert')).toContainText('not right')
})

test('the demo is shown alive, in two languages and two themes', async ({ browser }) => {
  const page = await signedIn(browser, 'alpha')
  await expectAccessible(page)
  await page.getByRole('link', { name: 'Demo consortium' }).click()
  for (const node of ['a1', 'a2', 'b1', 'b2']) {
    const row = page.getByRole('row', { name: new RegExp(`^${node}\\b`) })
    await expect(row).toContainText('Running')
    await expect(row).toContainText('In agreement')
  }
  // Only the own member's nodes can be stopped.
  await expect(page.getByRole('button', { name: 'Stop a1' })).toBeVisible()
  await expect(page.getByRole('button', { name: 'Stop b1' })).toHaveCount(0)
  await expectAccessible(page)
  await page.getByRole('combobox', { name: 'Theme' }).click()
  await page.getByTitle('Dark', { exact: true }).click()
  await page.getByRole('combobox', { name: 'Language' }).click()
  await page.getByTitle('简体中文').click()
  await expect(page.getByRole('row', { name: /^a1\b/ })).toContainText('运行中')
  expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN')
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
    const row = page.getByRole('row', { name: new RegExp(`^${name}\\b`) })
    await expect(row).toContainText('Enrolled')
  }
  await alpha.getByRole('button', { name: 'Launch' }).click()
  await expect(alpha.getByText('Members sign')).toBeVisible()
  for (const [page, tenant] of [
    [alpha, 'alpha'],
    [beta, 'beta'],
  ] as const) {
    await page.getByRole('button', { name: 'Sign the charter' }).click()
    await giveKey(page, tenant)
    await dialog(page).getByRole('button', { name: 'Sign the charter' }).click()
    await expect(dialog(page)).toBeHidden()
  }
  for (const node of ['a1', 'a2', 'b1', 'b2']) {
    const row = beta.getByRole('row', { name: new RegExp(`^${node}\\b`) })
    await expect(row).toContainText('In agreement')
  }
})
