/* Made by `npm run api-types -w campaigns` from the server's own description. Not to be edited. */

export interface Api {
  'DELETE /api-keys/{id}': {
    path: {
      id: string
    }
    answer: null
  }
  'DELETE /campaigns/{id}': {
    path: {
      id: string
    }
    answer: null
  }
  'DELETE /categories/{id}': {
    path: {
      id: string
    }
    answer: null
  }
  'DELETE /categories/{id}/contacts': {
    path: {
      id: string
    }
    body: {
      contact_ids: string[]
    }
    answer: {
      changed: number
      unknown: string[]
      contact_count: number
    }
  }
  'DELETE /contacts/{id}': {
    path: {
      id: string
    }
    answer: null
  }
  'DELETE /content/{id}': {
    path: {
      id: string
    }
    answer: null
  }
  'DELETE /media/{id}': {
    path: {
      id: string
    }
    query: {
      force?: 'true' | 'false'
    }
    answer: null
  }
  'DELETE /settings/{key}': {
    path: {
      key: string
    }
    answer: {
      values: {
        company_name: string
        default_locale: 'en' | 'fr'
        default_country: string
        mail_from: string
        opt_out_words: string[]
        opt_in_words: string[]
        rate_per_minute: number
        interaction_timeout_h: number
        accept_late: boolean
        inbox_days: number
        jobs_days: number
        history_days: number
      }
      defaults: string[]
      schema: unknown
    }
  }
  'DELETE /users/{id}': {
    path: {
      id: string
    }
    answer: null
  }
  'GET /admin/history': {
    query: {
      limit?: number
      cursor?: string
      admin?: string
      entity?: string
      entity_id?: string
      action?: string
      from?: number
      to?: number
    }
    answer: {
      items: {
        id: string
        timestamp: number
        actor: string
        admin: {
          id: string
          name: string
          email: string
        } | null
        action: string
        entity: string
        entity_id: string | null
        before: unknown
        after: unknown
        ip: string | null
        request_id: string | null
      }[]
      next_cursor: string | null
    }
  }
  'GET /api-keys': {
    query: {
      limit?: number
      cursor?: string
      user?: string
    }
    answer: {
      items: {
        id: string
        name: string
        prefix: string
        scopes: string[]
        owner: {
          id: string
          name: string
          email: string
        }
        expires_at: number | null
        last_used_at: number | null
        revoked_at: number | null
        created_at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /auth/me': {
    answer: {
      user: {
        id: string
        email: string
        name: string
        role: 'admin' | 'manager' | 'agent'
        locale: string
      }
      permissions: (
        | 'dashboard:read'
        | 'search:read'
        | 'contacts:read'
        | 'contacts:write'
        | 'contacts:bulk'
        | 'contacts:import'
        | 'contacts:export'
        | 'categories:read'
        | 'categories:write'
        | 'messages:read'
        | 'messages:send'
        | 'campaigns:read'
        | 'campaigns:write'
        | 'campaigns:run'
        | 'templates:read'
        | 'templates:write'
        | 'accounts:read'
        | 'accounts:write'
        | 'content:read'
        | 'content:write'
        | 'content:publish'
        | 'media:read'
        | 'media:write'
        | 'users:read'
        | 'users:write'
        | 'settings:read'
        | 'settings:write'
        | 'history:read'
        | 'jobs:read'
        | 'jobs:write'
        | 'cache:view'
        | 'cache:operate'
        | 'cache:manage'
      )[]
      csrf_token: string | null
    }
  }
  'GET /cache-events': {
    query: {
      limit?: number
      cursor?: string
    }
    answer: {
      items: {
        id: string
        kind: string
        detail: string
        at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /campaigns': {
    query: {
      limit?: number
      cursor?: string
      status?: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
    }
    answer: {
      items: {
        id: string
        name: string
        status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
        account_id: string | null
        categories: {
          id: string
          name: string
        }[]
        message1_template_id: string | null
        message1_params: unknown
        message2_kind: 'none' | 'text' | 'interactive' | 'template'
        message2_body: string | null
        message2_buttons:
          | {
              id: string
              title: string
            }[]
          | null
        message2_template_id: string | null
        message2_params: unknown
        fallback_template_id: string | null
        fallback_params: unknown
        interaction_timeout_h: number
        accept_late: boolean
        rate_per_minute: number | null
        scheduled_at: number | null
        started_at: number | null
        completed_at: number | null
        planned_at: number | null
        total: number
        queued: number
        sent: number
        delivered: number
        read: number
        interacted: number
        message2_sent: number
        message2_failed: number
        failed_count: number
        no_interaction_count: number
        skipped: number
        late_count: number
        open_count: number
        reason: string | null
        created_by: string | null
        version: number
        actions: string[]
        created_at: number
        updated_at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /campaigns/{id}': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      account_id: string | null
      categories: {
        id: string
        name: string
      }[]
      message1_template_id: string | null
      message1_params: unknown
      message2_kind: 'none' | 'text' | 'interactive' | 'template'
      message2_body: string | null
      message2_buttons:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id: string | null
      message2_params: unknown
      fallback_template_id: string | null
      fallback_params: unknown
      interaction_timeout_h: number
      accept_late: boolean
      rate_per_minute: number | null
      scheduled_at: number | null
      started_at: number | null
      completed_at: number | null
      planned_at: number | null
      total: number
      queued: number
      sent: number
      delivered: number
      read: number
      interacted: number
      message2_sent: number
      message2_failed: number
      failed_count: number
      no_interaction_count: number
      skipped: number
      late_count: number
      open_count: number
      reason: string | null
      created_by: string | null
      version: number
      actions: string[]
      created_at: number
      updated_at: number
    }
  }
  'GET /campaigns/{id}/export': {
    path: {
      id: string
    }
    answer: null
  }
  'GET /campaigns/{id}/preview': {
    path: {
      id: string
    }
    answer: {
      audience: {
        total: number
        opted_out: number
        no_opt_in: number
        no_identifier: number
        reachable: number
      }
      missing: {
        field: string
        expected: string
        received: string
      }[]
      samples: {
        contact: {
          id: string
          name: string
        }
        message1: string | null
        message2: string | null
      }[]
    }
  }
  'GET /campaigns/{id}/recipients': {
    path: {
      id: string
    }
    query: {
      limit?: number
      cursor?: string
      status?:
        | 'queued'
        | 'sending'
        | 'accepted'
        | 'sent'
        | 'delivered'
        | 'read'
        | 'failed'
        | 'skipped'
        | 'no_interaction'
        | 'received'
    }
    answer: {
      items: {
        message_id: string
        contact: {
          id: string
          name: string
          phone: string | null
        } | null
        status:
          | 'queued'
          | 'sending'
          | 'accepted'
          | 'sent'
          | 'delivered'
          | 'read'
          | 'failed'
          | 'skipped'
          | 'no_interaction'
          | 'received'
        error_class: string | null
        error_code: number | null
        error_detail: string | null
        attempts: number
        sent_at: number | null
        delivered_at: number | null
        read_at: number | null
        failed_at: number | null
        interacted_at: number | null
        late_interaction_at: number | null
        message2_status:
          | (
              | 'queued'
              | 'sending'
              | 'accepted'
              | 'sent'
              | 'delivered'
              | 'read'
              | 'failed'
              | 'skipped'
              | 'no_interaction'
              | 'received'
            )
          | null
        message2_sent_at: number | null
        message2_error_code: number | null
      }[]
      next_cursor: string | null
    }
  }
  'GET /campaigns/{id}/stats': {
    path: {
      id: string
    }
    answer: {
      id: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      reason: string | null
      planned: boolean
      total: number
      queued: number
      retrying: number
      sending: number
      awaiting: number
      funnel: {
        sent: number
        delivered: number
        read: number
        interacted: number
        message2_sent: number
      }
      rates: {
        delivery: number
        read: number
        interaction: number
        failure: number
      }
      message2: {
        queued: number
        sent: number
        failed: number
      }
      failed: number
      no_interaction: number
      late: number
      skipped: {
        reason: string
        count: number
      }[]
      failures: {
        step: number
        error_class: string | null
        error_code: number | null
        meaning: string
        count: number
      }[]
      cost: {
        amounts: {
          currency: string
          micros: number
        }[]
        billable: number
        free: number
        unpriced: number
        example_rates: boolean
      }
    }
  }
  'GET /categories': {
    answer: {
      items: {
        id: string
        name: string
        color: string
        description: string
        contact_count: number
        created_at: number
        updated_at: number
      }[]
    }
  }
  'GET /categories/{id}': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      color: string
      description: string
      contact_count: number
      created_at: number
      updated_at: number
    }
  }
  'GET /contacts': {
    query: {
      limit?: number
      cursor?: string
      q?: string
      category?: string
      opted_out?: 'true' | 'false'
      has_window?: 'true' | 'false'
      created_from?: number
      created_to?: number
      sort?: 'newest' | 'name'
    }
    answer: {
      items: {
        id: string
        name: string
        phone: string | null
        email: string | null
        wa_id: string | null
        bsuid: string | null
        username: string | null
        attributes: {
          [k: string]: string
        }
        categories: {
          id: string
          name: string
        }[]
        opt_in_at: number | null
        opt_out_at: number | null
        last_inbound_at: number | null
        window_expires_at: number | null
        created_at: number
        updated_at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /contacts/export': {
    query: {
      q?: string
      category?: string
      opted_out?: 'true' | 'false'
      has_window?: 'true' | 'false'
      created_from?: number
      created_to?: number
    }
    answer: null
  }
  'GET /contacts/export/{job}': {
    path: {
      job: string
    }
    answer: {
      id: string
      status: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
      rows: number
      bytes: number
      last_error: string | null
      created_at: number
      finished_at: number | null
      file: string | null
    }
  }
  'GET /contacts/export/{job}/file': {
    path: {
      job: string
    }
    answer: null
  }
  'GET /contacts/import/{job}': {
    path: {
      job: string
    }
    answer: {
      id: string
      status: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
      mode: 'skip' | 'update'
      percent: number
      bytes: number
      bytes_read: number
      records: number
      created: number
      updated: number
      duplicates: number
      rejected: number
      categories_created: number
      stopped_at_line: number | null
      last_error: string | null
      created_at: number
      finished_at: number | null
      errors: {
        line: number
        field: string
        expected: string
        received: string
      }[]
    }
  }
  'GET /contacts/import/{job}/errors.csv': {
    path: {
      job: string
    }
    answer: null
  }
  'GET /contacts/{id}': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      phone: string | null
      email: string | null
      wa_id: string | null
      bsuid: string | null
      username: string | null
      attributes: {
        [k: string]: string
      }
      categories: {
        id: string
        name: string
      }[]
      opt_in_at: number | null
      opt_out_at: number | null
      last_inbound_at: number | null
      window_expires_at: number | null
      created_at: number
      updated_at: number
    }
  }
  'GET /contacts/{id}/activity': {
    path: {
      id: string
    }
    query: {
      limit?: number
      cursor?: string
    }
    answer: {
      items: {
        id: string
        at: number
        kind: 'message_out' | 'message_in' | 'create' | 'opt_in' | 'opt_out' | 'merge' | 'identify'
        actor: string | null
        message: {
          id: string
          direction: 'in' | 'out'
          campaign_id: string | null
          campaign_name: string | null
          step: number | null
          type: string
          status:
            | 'queued'
            | 'sending'
            | 'accepted'
            | 'sent'
            | 'delivered'
            | 'read'
            | 'failed'
            | 'skipped'
            | 'no_interaction'
            | 'received'
          body: string | null
          error_code: number | null
          error_detail: string | null
          sent_at: number | null
          delivered_at: number | null
          read_at: number | null
          failed_at: number | null
          interacted_at: number | null
          late_interaction_at: number | null
          created_at: number
        } | null
      }[]
      next_cursor: string | null
    }
  }
  'GET /contacts/{id}/messages': {
    path: {
      id: string
    }
    query: {
      limit?: number
      cursor?: string
    }
    answer: {
      items: {
        id: string
        direction: 'in' | 'out'
        campaign_id: string | null
        campaign_name: string | null
        step: number | null
        type: string
        status:
          | 'queued'
          | 'sending'
          | 'accepted'
          | 'sent'
          | 'delivered'
          | 'read'
          | 'failed'
          | 'skipped'
          | 'no_interaction'
          | 'received'
        body: string | null
        error_code: number | null
        error_detail: string | null
        sent_at: number | null
        delivered_at: number | null
        read_at: number | null
        failed_at: number | null
        interacted_at: number | null
        late_interaction_at: number | null
        created_at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /content': {
    query: {
      limit?: number
      cursor?: string
      status?: 'draft' | 'published'
      author?: string
      q?: string
    }
    answer: {
      items: {
        id: string
        slug: string
        title: string
        status: 'draft' | 'published'
        author_id: string | null
        author_name: string | null
        cover: {
          media_id: string
          alt: string
          url: string
          width: number | null
          height: number | null
          variants: {
            width: number
            height: number
            url: string
          }[]
        } | null
        version: number
        published_version: number | null
        published_at: number | null
        created_at: number
        updated_at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /content/{id}': {
    path: {
      id: string
    }
    answer: {
      id: string
      slug: string
      title: string
      status: 'draft' | 'published'
      author_id: string | null
      author_name: string | null
      cover: {
        media_id: string
        alt: string
        url: string
        width: number | null
        height: number | null
        variants: {
          width: number
          height: number
          url: string
        }[]
      } | null
      version: number
      published_version: number | null
      published_at: number | null
      created_at: number
      updated_at: number
      body: string
    }
  }
  'GET /content/{id}/revisions': {
    path: {
      id: string
    }
    query: {
      limit?: number
      cursor?: string
    }
    answer: {
      items: {
        version: number
        title: string
        author_id: string | null
        author_name: string | null
        created_at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /content/{id}/revisions/{version}': {
    path: {
      id: string
      version: number
    }
    answer: {
      version: number
      title: string
      author_id: string | null
      author_name: string | null
      created_at: number
      body: string
      cover_media_id: string | null
    }
  }
  'GET /dashboard': {
    answer: {
      generated_at: number
      computed_ms: number
      period: {
        from: number
        days: number
      }
      contacts: {
        total: number
        new: number
      }
      categories: {
        id: string
        name: string
        color: string
        contact_count: number
      }[]
      messages: {
        total: number
        by_status: {
          status:
            | 'queued'
            | 'sending'
            | 'accepted'
            | 'sent'
            | 'delivered'
            | 'read'
            | 'failed'
            | 'skipped'
            | 'no_interaction'
            | 'received'
          count: number
        }[]
      }
      per_day: {
        day: string
        count: number
      }[]
      campaigns: {
        status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
        count: number
        sent: number
        read: number
        read_rate: number
      }[]
      problems: {
        status: 'failed' | 'no_interaction'
        error_code: number | null
        count: number
      }[]
      median_read_ms: number | null
    }
  }
  'GET /jobs': {
    query: {
      limit?: number
      cursor?: string
      name?: string
      status?: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
    }
    answer: {
      items: {
        id: string
        name: string
        queue: string
        status: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
        description: unknown
        progress: unknown
        result: unknown
        last_error: string | null
        attempts: number
        max_attempts: number
        priority: number
        run_at: number
        created_by: string | null
        created_at: number
        started_at: number | null
        finished_at: number | null
      }[]
      next_cursor: string | null
    }
  }
  'GET /jobs/{id}': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      queue: string
      status: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
      description: unknown
      progress: unknown
      result: unknown
      last_error: string | null
      attempts: number
      max_attempts: number
      priority: number
      run_at: number
      created_by: string | null
      created_at: number
      started_at: number | null
      finished_at: number | null
    }
  }
  'GET /media': {
    query: {
      limit?: number
      cursor?: string
    }
    answer: {
      items: {
        id: string
        name: string
        alt: string
        mime: string
        width: number | null
        height: number | null
        size: number
        url: string
        variants: {
          width: number
          height: number
          url: string
        }[]
        processed: boolean
        uploaded_by: string | null
        created_at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /messages': {
    query: {
      limit?: number
      cursor?: string
      status?:
        | 'queued'
        | 'sending'
        | 'accepted'
        | 'sent'
        | 'delivered'
        | 'read'
        | 'failed'
        | 'skipped'
        | 'no_interaction'
        | 'received'
      campaign?: string
      contact?: string
    }
    answer: {
      items: {
        id: string
        direction: 'in' | 'out'
        campaign_id: string | null
        contact_id: string | null
        step: number | null
        account_id: string | null
        type: string
        status:
          | 'queued'
          | 'sending'
          | 'accepted'
          | 'sent'
          | 'delivered'
          | 'read'
          | 'failed'
          | 'skipped'
          | 'no_interaction'
          | 'received'
        body: string | null
        error_code: number | null
        error_class: string | null
        error_detail: string | null
        attempts: number
        accepted_at: number | null
        sent_at: number | null
        delivered_at: number | null
        read_at: number | null
        failed_at: number | null
        interacted_at: number | null
        created_at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /messages/stats': {
    answer: {
      total: number
      inbound: number
      outbound: number
      by_status: {
        status:
          | 'queued'
          | 'sending'
          | 'accepted'
          | 'sent'
          | 'delivered'
          | 'read'
          | 'failed'
          | 'skipped'
          | 'no_interaction'
          | 'received'
        count: number
      }[]
      read_rate: number
      failure_rate: number
      contacts: number
    }
  }
  'GET /messages/{id}': {
    path: {
      id: string
    }
    answer: {
      id: string
      direction: 'in' | 'out'
      campaign_id: string | null
      contact_id: string | null
      step: number | null
      account_id: string | null
      type: string
      status:
        | 'queued'
        | 'sending'
        | 'accepted'
        | 'sent'
        | 'delivered'
        | 'read'
        | 'failed'
        | 'skipped'
        | 'no_interaction'
        | 'received'
      body: string | null
      error_code: number | null
      error_class: string | null
      error_detail: string | null
      attempts: number
      accepted_at: number | null
      sent_at: number | null
      delivered_at: number | null
      read_at: number | null
      failed_at: number | null
      interacted_at: number | null
      created_at: number
    }
  }
  'GET /pages/{slug}': {
    path: {
      slug: string
    }
    answer: {
      slug: string
      title: string
      description: string
      html: string
      cover: {
        media_id: string
        alt: string
        url: string
        width: number | null
        height: number | null
        variants: {
          width: number
          height: number
          url: string
        }[]
      } | null
      version: number
      published_at: number
      updated_at: number
    }
  }
  'GET /search': {
    query: {
      q: string
      kinds?: string
      limit?: number
    }
    answer: {
      items: {
        kind: 'contact' | 'content' | 'campaign'
        id: string
        title: string
        detail: string | null
        status: string | null
      }[]
    }
  }
  'GET /settings': {
    answer: {
      values: {
        company_name: string
        default_locale: 'en' | 'fr'
        default_country: string
        mail_from: string
        opt_out_words: string[]
        opt_in_words: string[]
        rate_per_minute: number
        interaction_timeout_h: number
        accept_late: boolean
        inbox_days: number
        jobs_days: number
        history_days: number
      }
      defaults: string[]
      schema: unknown
    }
  }
  'GET /templates': {
    query: {
      account?: string
      status?: string
    }
    answer: {
      items: {
        id: string
        account_id: string
        name: string
        language: string
        category: string
        status: string
        quality: string | null
        components: unknown[]
        placeholders: string[]
        synced_at: number
      }[]
    }
  }
  'GET /users': {
    query: {
      limit?: number
      cursor?: string
      role?: 'admin' | 'manager' | 'agent'
      status?: 'active' | 'disabled'
      email?: string
    }
    answer: {
      items: {
        id: string
        email: string
        name: string
        role: 'admin' | 'manager' | 'agent'
        status: 'active' | 'disabled'
        locale: string
        last_login_at: number | null
        created_at: number
        updated_at: number
      }[]
      next_cursor: string | null
    }
  }
  'GET /users/{id}': {
    path: {
      id: string
    }
    answer: {
      id: string
      email: string
      name: string
      role: 'admin' | 'manager' | 'agent'
      status: 'active' | 'disabled'
      locale: string
      last_login_at: number | null
      created_at: number
      updated_at: number
    }
  }
  'GET /whatsapp/accounts': {
    answer: {
      items: {
        id: string
        name: string
        provider: 'cloud' | 'simulator'
        phone_number_id: string
        waba_id: string
        display_phone: string
        graph_version: string
        base_url: string
        mps_limit: number
        status: 'active' | 'stopped'
        reason: string | null
        created_at: number
        updated_at: number
      }[]
    }
  }
  'GET /whatsapp/rates': {
    answer: {
      rates: {
        category: string
        country: string
        currency: string
        micros: number
        free_per_month: number
        effective_from: number
      }[]
      examples: boolean
      source: string | null
    }
  }
  'PATCH /auth/me': {
    body: {
      name?: string
      locale?: 'en' | 'fr'
    }
    answer: {
      user: {
        id: string
        email: string
        name: string
        role: 'admin' | 'manager' | 'agent'
        locale: string
      }
      permissions: (
        | 'dashboard:read'
        | 'search:read'
        | 'contacts:read'
        | 'contacts:write'
        | 'contacts:bulk'
        | 'contacts:import'
        | 'contacts:export'
        | 'categories:read'
        | 'categories:write'
        | 'messages:read'
        | 'messages:send'
        | 'campaigns:read'
        | 'campaigns:write'
        | 'campaigns:run'
        | 'templates:read'
        | 'templates:write'
        | 'accounts:read'
        | 'accounts:write'
        | 'content:read'
        | 'content:write'
        | 'content:publish'
        | 'media:read'
        | 'media:write'
        | 'users:read'
        | 'users:write'
        | 'settings:read'
        | 'settings:write'
        | 'history:read'
        | 'jobs:read'
        | 'jobs:write'
        | 'cache:view'
        | 'cache:operate'
        | 'cache:manage'
      )[]
      csrf_token: string | null
    }
  }
  'PATCH /campaigns/{id}': {
    path: {
      id: string
    }
    body: {
      version: number
      name?: string
      account_id?: string | null
      category_ids?: string[]
      message1_template_id?: string | null
      message1_params?: {
        [k: string]:
          | string
          | {
              field: string
              fallback?: string
            }
      } | null
      message2_kind?: 'none' | 'text' | 'interactive' | 'template'
      message2_body?: string | null
      message2_buttons?:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id?: string | null
      message2_params?: {
        [k: string]:
          | string
          | {
              field: string
              fallback?: string
            }
      } | null
      fallback_template_id?: string | null
      fallback_params?: {
        [k: string]:
          | string
          | {
              field: string
              fallback?: string
            }
      } | null
      interaction_timeout_h?: number
      accept_late?: boolean
      rate_per_minute?: number | null
    }
    answer: {
      id: string
      name: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      account_id: string | null
      categories: {
        id: string
        name: string
      }[]
      message1_template_id: string | null
      message1_params: unknown
      message2_kind: 'none' | 'text' | 'interactive' | 'template'
      message2_body: string | null
      message2_buttons:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id: string | null
      message2_params: unknown
      fallback_template_id: string | null
      fallback_params: unknown
      interaction_timeout_h: number
      accept_late: boolean
      rate_per_minute: number | null
      scheduled_at: number | null
      started_at: number | null
      completed_at: number | null
      planned_at: number | null
      total: number
      queued: number
      sent: number
      delivered: number
      read: number
      interacted: number
      message2_sent: number
      message2_failed: number
      failed_count: number
      no_interaction_count: number
      skipped: number
      late_count: number
      open_count: number
      reason: string | null
      created_by: string | null
      version: number
      actions: string[]
      created_at: number
      updated_at: number
    }
  }
  'PATCH /categories/{id}': {
    path: {
      id: string
    }
    body: {
      name?: string
      color?: string
      description?: string
    }
    answer: {
      id: string
      name: string
      color: string
      description: string
      contact_count: number
      created_at: number
      updated_at: number
    }
  }
  'PATCH /contacts/{id}': {
    path: {
      id: string
    }
    body: {
      name?: string
      phone?: string | null
      email?: string | null
      category_ids?: string[]
      attributes?: {
        [k: string]: string
      }
      updated_at?: number
    }
    answer: {
      id: string
      name: string
      phone: string | null
      email: string | null
      wa_id: string | null
      bsuid: string | null
      username: string | null
      attributes: {
        [k: string]: string
      }
      categories: {
        id: string
        name: string
      }[]
      opt_in_at: number | null
      opt_out_at: number | null
      last_inbound_at: number | null
      window_expires_at: number | null
      created_at: number
      updated_at: number
    }
  }
  'PATCH /content/{id}': {
    path: {
      id: string
    }
    body: {
      version: number
      title?: string
      body?: string
      slug?: string
      cover_media_id?: string | null
    }
    answer: {
      id: string
      slug: string
      title: string
      status: 'draft' | 'published'
      author_id: string | null
      author_name: string | null
      cover: {
        media_id: string
        alt: string
        url: string
        width: number | null
        height: number | null
        variants: {
          width: number
          height: number
          url: string
        }[]
      } | null
      version: number
      published_version: number | null
      published_at: number | null
      created_at: number
      updated_at: number
      body: string
    }
  }
  'PATCH /media/{id}': {
    path: {
      id: string
    }
    body: {
      alt?: string
      name?: string
    }
    answer: {
      id: string
      name: string
      alt: string
      mime: string
      width: number | null
      height: number | null
      size: number
      url: string
      variants: {
        width: number
        height: number
        url: string
      }[]
      processed: boolean
      uploaded_by: string | null
      created_at: number
    }
  }
  'PATCH /settings': {
    body: {
      company_name?: string
      default_locale?: 'en' | 'fr'
      default_country?: string
      mail_from?: string
      opt_out_words?: string[]
      opt_in_words?: string[]
      rate_per_minute?: number
      interaction_timeout_h?: number
      accept_late?: boolean
      inbox_days?: number
      jobs_days?: number
      history_days?: number
    }
    answer: {
      values: {
        company_name: string
        default_locale: 'en' | 'fr'
        default_country: string
        mail_from: string
        opt_out_words: string[]
        opt_in_words: string[]
        rate_per_minute: number
        interaction_timeout_h: number
        accept_late: boolean
        inbox_days: number
        jobs_days: number
        history_days: number
      }
      defaults: string[]
      schema: unknown
    }
  }
  'PATCH /users/{id}': {
    path: {
      id: string
    }
    body: {
      email?: string
      name?: string
      password?: string
      role?: 'admin' | 'manager' | 'agent'
      status?: 'active' | 'disabled'
      locale?: 'en' | 'fr'
    }
    answer: {
      id: string
      email: string
      name: string
      role: 'admin' | 'manager' | 'agent'
      status: 'active' | 'disabled'
      locale: string
      last_login_at: number | null
      created_at: number
      updated_at: number
    }
  }
  'PATCH /whatsapp/accounts/{id}': {
    path: {
      id: string
    }
    body: {
      name?: string
      display_phone?: string
      token?: string
      app_secret?: string
      verify_token?: string
      graph_version?: string
      base_url?: string
      mps_limit?: number
      status?: 'active' | 'stopped'
    }
    answer: {
      id: string
      name: string
      provider: 'cloud' | 'simulator'
      phone_number_id: string
      waba_id: string
      display_phone: string
      graph_version: string
      base_url: string
      mps_limit: number
      status: 'active' | 'stopped'
      reason: string | null
      created_at: number
      updated_at: number
    }
  }
  'POST /api-keys': {
    body: {
      name: string
      scopes: (
        | 'dashboard:read'
        | 'search:read'
        | 'contacts:read'
        | 'contacts:write'
        | 'contacts:bulk'
        | 'contacts:import'
        | 'contacts:export'
        | 'categories:read'
        | 'categories:write'
        | 'messages:read'
        | 'messages:send'
        | 'campaigns:read'
        | 'campaigns:write'
        | 'campaigns:run'
        | 'templates:read'
        | 'templates:write'
        | 'accounts:read'
        | 'accounts:write'
        | 'content:read'
        | 'content:write'
        | 'content:publish'
        | 'media:read'
        | 'media:write'
        | 'users:read'
        | 'users:write'
        | 'settings:read'
        | 'settings:write'
        | 'history:read'
        | 'jobs:read'
        | 'jobs:write'
        | 'cache:view'
        | 'cache:operate'
        | 'cache:manage'
      )[]
      expires_at?: number | null
    }
    answer: {
      id: string
      key: string
    }
  }
  'POST /auth/login': {
    body: {
      email: string
      password: string
    }
    answer: {
      user: {
        id: string
        email: string
        name: string
        role: 'admin' | 'manager' | 'agent'
        locale: string
      }
      permissions: (
        | 'dashboard:read'
        | 'search:read'
        | 'contacts:read'
        | 'contacts:write'
        | 'contacts:bulk'
        | 'contacts:import'
        | 'contacts:export'
        | 'categories:read'
        | 'categories:write'
        | 'messages:read'
        | 'messages:send'
        | 'campaigns:read'
        | 'campaigns:write'
        | 'campaigns:run'
        | 'templates:read'
        | 'templates:write'
        | 'accounts:read'
        | 'accounts:write'
        | 'content:read'
        | 'content:write'
        | 'content:publish'
        | 'media:read'
        | 'media:write'
        | 'users:read'
        | 'users:write'
        | 'settings:read'
        | 'settings:write'
        | 'history:read'
        | 'jobs:read'
        | 'jobs:write'
        | 'cache:view'
        | 'cache:operate'
        | 'cache:manage'
      )[]
      csrf_token: string | null
    }
  }
  'POST /auth/logout': {
    answer: null
  }
  'POST /auth/password': {
    body: {
      current_password: string
      new_password: string
    }
    answer: {
      user: {
        id: string
        email: string
        name: string
        role: 'admin' | 'manager' | 'agent'
        locale: string
      }
      permissions: (
        | 'dashboard:read'
        | 'search:read'
        | 'contacts:read'
        | 'contacts:write'
        | 'contacts:bulk'
        | 'contacts:import'
        | 'contacts:export'
        | 'categories:read'
        | 'categories:write'
        | 'messages:read'
        | 'messages:send'
        | 'campaigns:read'
        | 'campaigns:write'
        | 'campaigns:run'
        | 'templates:read'
        | 'templates:write'
        | 'accounts:read'
        | 'accounts:write'
        | 'content:read'
        | 'content:write'
        | 'content:publish'
        | 'media:read'
        | 'media:write'
        | 'users:read'
        | 'users:write'
        | 'settings:read'
        | 'settings:write'
        | 'history:read'
        | 'jobs:read'
        | 'jobs:write'
        | 'cache:view'
        | 'cache:operate'
        | 'cache:manage'
      )[]
      csrf_token: string | null
    }
  }
  'POST /auth/password/forgot': {
    body: {
      email: string
    }
    answer: null
  }
  'POST /auth/password/reset': {
    body: {
      token: string
      password: string
    }
    answer: null
  }
  'POST /campaigns': {
    body: {
      name: string
      account_id?: string | null
      category_ids?: string[]
      message1_template_id?: string | null
      message1_params?: {
        [k: string]:
          | string
          | {
              field: string
              fallback?: string
            }
      } | null
      message2_kind?: 'none' | 'text' | 'interactive' | 'template'
      message2_body?: string | null
      message2_buttons?:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id?: string | null
      message2_params?: {
        [k: string]:
          | string
          | {
              field: string
              fallback?: string
            }
      } | null
      fallback_template_id?: string | null
      fallback_params?: {
        [k: string]:
          | string
          | {
              field: string
              fallback?: string
            }
      } | null
      interaction_timeout_h?: number
      accept_late?: boolean
      rate_per_minute?: number | null
    }
    answer: {
      id: string
      name: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      account_id: string | null
      categories: {
        id: string
        name: string
      }[]
      message1_template_id: string | null
      message1_params: unknown
      message2_kind: 'none' | 'text' | 'interactive' | 'template'
      message2_body: string | null
      message2_buttons:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id: string | null
      message2_params: unknown
      fallback_template_id: string | null
      fallback_params: unknown
      interaction_timeout_h: number
      accept_late: boolean
      rate_per_minute: number | null
      scheduled_at: number | null
      started_at: number | null
      completed_at: number | null
      planned_at: number | null
      total: number
      queued: number
      sent: number
      delivered: number
      read: number
      interacted: number
      message2_sent: number
      message2_failed: number
      failed_count: number
      no_interaction_count: number
      skipped: number
      late_count: number
      open_count: number
      reason: string | null
      created_by: string | null
      version: number
      actions: string[]
      created_at: number
      updated_at: number
    }
  }
  'POST /campaigns/{id}/cancel': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      account_id: string | null
      categories: {
        id: string
        name: string
      }[]
      message1_template_id: string | null
      message1_params: unknown
      message2_kind: 'none' | 'text' | 'interactive' | 'template'
      message2_body: string | null
      message2_buttons:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id: string | null
      message2_params: unknown
      fallback_template_id: string | null
      fallback_params: unknown
      interaction_timeout_h: number
      accept_late: boolean
      rate_per_minute: number | null
      scheduled_at: number | null
      started_at: number | null
      completed_at: number | null
      planned_at: number | null
      total: number
      queued: number
      sent: number
      delivered: number
      read: number
      interacted: number
      message2_sent: number
      message2_failed: number
      failed_count: number
      no_interaction_count: number
      skipped: number
      late_count: number
      open_count: number
      reason: string | null
      created_by: string | null
      version: number
      actions: string[]
      created_at: number
      updated_at: number
    }
  }
  'POST /campaigns/{id}/pause': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      account_id: string | null
      categories: {
        id: string
        name: string
      }[]
      message1_template_id: string | null
      message1_params: unknown
      message2_kind: 'none' | 'text' | 'interactive' | 'template'
      message2_body: string | null
      message2_buttons:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id: string | null
      message2_params: unknown
      fallback_template_id: string | null
      fallback_params: unknown
      interaction_timeout_h: number
      accept_late: boolean
      rate_per_minute: number | null
      scheduled_at: number | null
      started_at: number | null
      completed_at: number | null
      planned_at: number | null
      total: number
      queued: number
      sent: number
      delivered: number
      read: number
      interacted: number
      message2_sent: number
      message2_failed: number
      failed_count: number
      no_interaction_count: number
      skipped: number
      late_count: number
      open_count: number
      reason: string | null
      created_by: string | null
      version: number
      actions: string[]
      created_at: number
      updated_at: number
    }
  }
  'POST /campaigns/{id}/resume': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      account_id: string | null
      categories: {
        id: string
        name: string
      }[]
      message1_template_id: string | null
      message1_params: unknown
      message2_kind: 'none' | 'text' | 'interactive' | 'template'
      message2_body: string | null
      message2_buttons:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id: string | null
      message2_params: unknown
      fallback_template_id: string | null
      fallback_params: unknown
      interaction_timeout_h: number
      accept_late: boolean
      rate_per_minute: number | null
      scheduled_at: number | null
      started_at: number | null
      completed_at: number | null
      planned_at: number | null
      total: number
      queued: number
      sent: number
      delivered: number
      read: number
      interacted: number
      message2_sent: number
      message2_failed: number
      failed_count: number
      no_interaction_count: number
      skipped: number
      late_count: number
      open_count: number
      reason: string | null
      created_by: string | null
      version: number
      actions: string[]
      created_at: number
      updated_at: number
    }
  }
  'POST /campaigns/{id}/retry-failed': {
    path: {
      id: string
    }
    body: {
      error_class?: string | null
    } | null
    answer: {
      id: string
      name: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      account_id: string | null
      categories: {
        id: string
        name: string
      }[]
      message1_template_id: string | null
      message1_params: unknown
      message2_kind: 'none' | 'text' | 'interactive' | 'template'
      message2_body: string | null
      message2_buttons:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id: string | null
      message2_params: unknown
      fallback_template_id: string | null
      fallback_params: unknown
      interaction_timeout_h: number
      accept_late: boolean
      rate_per_minute: number | null
      scheduled_at: number | null
      started_at: number | null
      completed_at: number | null
      planned_at: number | null
      total: number
      queued: number
      sent: number
      delivered: number
      read: number
      interacted: number
      message2_sent: number
      message2_failed: number
      failed_count: number
      no_interaction_count: number
      skipped: number
      late_count: number
      open_count: number
      reason: string | null
      created_by: string | null
      version: number
      actions: string[]
      created_at: number
      updated_at: number
    }
  }
  'POST /campaigns/{id}/schedule': {
    path: {
      id: string
    }
    body: {
      scheduled_at: number
    }
    answer: {
      id: string
      name: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      account_id: string | null
      categories: {
        id: string
        name: string
      }[]
      message1_template_id: string | null
      message1_params: unknown
      message2_kind: 'none' | 'text' | 'interactive' | 'template'
      message2_body: string | null
      message2_buttons:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id: string | null
      message2_params: unknown
      fallback_template_id: string | null
      fallback_params: unknown
      interaction_timeout_h: number
      accept_late: boolean
      rate_per_minute: number | null
      scheduled_at: number | null
      started_at: number | null
      completed_at: number | null
      planned_at: number | null
      total: number
      queued: number
      sent: number
      delivered: number
      read: number
      interacted: number
      message2_sent: number
      message2_failed: number
      failed_count: number
      no_interaction_count: number
      skipped: number
      late_count: number
      open_count: number
      reason: string | null
      created_by: string | null
      version: number
      actions: string[]
      created_at: number
      updated_at: number
    }
  }
  'POST /campaigns/{id}/start': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      status: 'draft' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
      account_id: string | null
      categories: {
        id: string
        name: string
      }[]
      message1_template_id: string | null
      message1_params: unknown
      message2_kind: 'none' | 'text' | 'interactive' | 'template'
      message2_body: string | null
      message2_buttons:
        | {
            id: string
            title: string
          }[]
        | null
      message2_template_id: string | null
      message2_params: unknown
      fallback_template_id: string | null
      fallback_params: unknown
      interaction_timeout_h: number
      accept_late: boolean
      rate_per_minute: number | null
      scheduled_at: number | null
      started_at: number | null
      completed_at: number | null
      planned_at: number | null
      total: number
      queued: number
      sent: number
      delivered: number
      read: number
      interacted: number
      message2_sent: number
      message2_failed: number
      failed_count: number
      no_interaction_count: number
      skipped: number
      late_count: number
      open_count: number
      reason: string | null
      created_by: string | null
      version: number
      actions: string[]
      created_at: number
      updated_at: number
    }
  }
  'POST /categories': {
    body: {
      name: string
      color?: string
      description?: string
    }
    answer: {
      id: string
      name: string
      color: string
      description: string
      contact_count: number
      created_at: number
      updated_at: number
    }
  }
  'POST /contacts': {
    body: {
      name: string
      phone?: string
      email?: string | null
      category_ids?: string[]
      attributes?: {
        [k: string]: string
      }
      bsuid?: string
    }
    answer: {
      id: string
      name: string
      phone: string | null
      email: string | null
      wa_id: string | null
      bsuid: string | null
      username: string | null
      attributes: {
        [k: string]: string
      }
      categories: {
        id: string
        name: string
      }[]
      opt_in_at: number | null
      opt_out_at: number | null
      last_inbound_at: number | null
      window_expires_at: number | null
      created_at: number
      updated_at: number
    }
  }
  'POST /contacts/bulk': {
    body: {
      action: 'add_categories' | 'remove_categories' | 'opt_in' | 'opt_out' | 'delete'
      ids?: string[]
      filter?: {
        q?: string
        category?: string
        opted_out?: 'true' | 'false'
        has_window?: 'true' | 'false'
        created_from?: number
        created_to?: number
      }
      cursor?: string
      category_ids?: string[]
    }
    answer: {
      results: {
        id: string
        result: 'changed' | 'unchanged' | 'not_found'
      }[]
      changed: number
      next_cursor: string | null
    }
  }
  'POST /contacts/export': {
    query: {
      q?: string
      category?: string
      opted_out?: 'true' | 'false'
      has_window?: 'true' | 'false'
      created_from?: number
      created_to?: number
    }
    answer: {
      id: string
      status: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
      rows: number
      bytes: number
      last_error: string | null
      created_at: number
      finished_at: number | null
      file: string | null
    }
  }
  'POST /contacts/import': {
    query: {
      mode?: 'skip' | 'update'
    }
    answer: {
      id: string
      status: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
      mode: 'skip' | 'update'
      percent: number
      bytes: number
      bytes_read: number
      records: number
      created: number
      updated: number
      duplicates: number
      rejected: number
      categories_created: number
      stopped_at_line: number | null
      last_error: string | null
      created_at: number
      finished_at: number | null
    }
  }
  'POST /contacts/{id}/opt-in': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      phone: string | null
      email: string | null
      wa_id: string | null
      bsuid: string | null
      username: string | null
      attributes: {
        [k: string]: string
      }
      categories: {
        id: string
        name: string
      }[]
      opt_in_at: number | null
      opt_out_at: number | null
      last_inbound_at: number | null
      window_expires_at: number | null
      created_at: number
      updated_at: number
    }
  }
  'POST /contacts/{id}/opt-out': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      phone: string | null
      email: string | null
      wa_id: string | null
      bsuid: string | null
      username: string | null
      attributes: {
        [k: string]: string
      }
      categories: {
        id: string
        name: string
      }[]
      opt_in_at: number | null
      opt_out_at: number | null
      last_inbound_at: number | null
      window_expires_at: number | null
      created_at: number
      updated_at: number
    }
  }
  'POST /content': {
    body: {
      title: string
      body?: string
      slug?: string
      cover_media_id?: string | null
    }
    answer: {
      id: string
      slug: string
      title: string
      status: 'draft' | 'published'
      author_id: string | null
      author_name: string | null
      cover: {
        media_id: string
        alt: string
        url: string
        width: number | null
        height: number | null
        variants: {
          width: number
          height: number
          url: string
        }[]
      } | null
      version: number
      published_version: number | null
      published_at: number | null
      created_at: number
      updated_at: number
      body: string
    }
  }
  'POST /content/{id}/publish': {
    path: {
      id: string
    }
    body: {
      version?: number
    } | null
    answer: {
      id: string
      slug: string
      title: string
      status: 'draft' | 'published'
      author_id: string | null
      author_name: string | null
      cover: {
        media_id: string
        alt: string
        url: string
        width: number | null
        height: number | null
        variants: {
          width: number
          height: number
          url: string
        }[]
      } | null
      version: number
      published_version: number | null
      published_at: number | null
      created_at: number
      updated_at: number
      body: string
    }
  }
  'POST /content/{id}/restore/{version}': {
    path: {
      id: string
      version: number
    }
    body: {
      version?: number
    } | null
    answer: {
      id: string
      slug: string
      title: string
      status: 'draft' | 'published'
      author_id: string | null
      author_name: string | null
      cover: {
        media_id: string
        alt: string
        url: string
        width: number | null
        height: number | null
        variants: {
          width: number
          height: number
          url: string
        }[]
      } | null
      version: number
      published_version: number | null
      published_at: number | null
      created_at: number
      updated_at: number
      body: string
    }
  }
  'POST /content/{id}/unpublish': {
    path: {
      id: string
    }
    answer: {
      id: string
      slug: string
      title: string
      status: 'draft' | 'published'
      author_id: string | null
      author_name: string | null
      cover: {
        media_id: string
        alt: string
        url: string
        width: number | null
        height: number | null
        variants: {
          width: number
          height: number
          url: string
        }[]
      } | null
      version: number
      published_version: number | null
      published_at: number | null
      created_at: number
      updated_at: number
      body: string
    }
  }
  'POST /jobs/{id}/cancel': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      queue: string
      status: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
      description: unknown
      progress: unknown
      result: unknown
      last_error: string | null
      attempts: number
      max_attempts: number
      priority: number
      run_at: number
      created_by: string | null
      created_at: number
      started_at: number | null
      finished_at: number | null
    }
  }
  'POST /jobs/{id}/retry': {
    path: {
      id: string
    }
    answer: {
      id: string
      name: string
      queue: string
      status: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
      description: unknown
      progress: unknown
      result: unknown
      last_error: string | null
      attempts: number
      max_attempts: number
      priority: number
      run_at: number
      created_by: string | null
      created_at: number
      started_at: number | null
      finished_at: number | null
    }
  }
  'POST /media': {
    answer: {
      id: string
      name: string
      alt: string
      mime: string
      width: number | null
      height: number | null
      size: number
      url: string
      variants: {
        width: number
        height: number
        url: string
      }[]
      processed: boolean
      uploaded_by: string | null
      created_at: number
    }
  }
  'POST /messages': {
    body: {
      contact_id: string
      account_id?: string
      text?: string
      template?: {
        id: string
        params?: {
          [k: string]:
            | string
            | {
                field: string
                fallback?: string
              }
        }
      }
    }
    answer: {
      id: string
      direction: 'in' | 'out'
      campaign_id: string | null
      contact_id: string | null
      step: number | null
      account_id: string | null
      type: string
      status:
        | 'queued'
        | 'sending'
        | 'accepted'
        | 'sent'
        | 'delivered'
        | 'read'
        | 'failed'
        | 'skipped'
        | 'no_interaction'
        | 'received'
      body: string | null
      error_code: number | null
      error_class: string | null
      error_detail: string | null
      attempts: number
      accepted_at: number | null
      sent_at: number | null
      delivered_at: number | null
      read_at: number | null
      failed_at: number | null
      interacted_at: number | null
      created_at: number
    }
  }
  'POST /messages/{id}/retry': {
    path: {
      id: string
    }
    answer: {
      id: string
      direction: 'in' | 'out'
      campaign_id: string | null
      contact_id: string | null
      step: number | null
      account_id: string | null
      type: string
      status:
        | 'queued'
        | 'sending'
        | 'accepted'
        | 'sent'
        | 'delivered'
        | 'read'
        | 'failed'
        | 'skipped'
        | 'no_interaction'
        | 'received'
      body: string | null
      error_code: number | null
      error_class: string | null
      error_detail: string | null
      attempts: number
      accepted_at: number | null
      sent_at: number | null
      delivered_at: number | null
      read_at: number | null
      failed_at: number | null
      interacted_at: number | null
      created_at: number
    }
  }
  'POST /search/reindex': {
    answer: {
      job_id: string | null
    }
  }
  'POST /settings/mail/test': {
    body: {
      to?: string
    }
    answer: {
      to: string
      via: 'smtp' | 'files'
    }
  }
  'POST /templates/sync': {
    answer: {
      job_id: string | null
    }
  }
  'POST /templates/{id}/preview': {
    path: {
      id: string
    }
    body: {
      contact_id: string
      params: {
        [k: string]:
          | string
          | {
              field: string
              fallback?: string
            }
      }
    }
    answer: {
      body: string
      components: unknown[]
    }
  }
  'POST /users': {
    body: {
      email: string
      name: string
      password: string
      role: 'admin' | 'manager' | 'agent'
      locale?: 'en' | 'fr'
    }
    answer: {
      id: string
      email: string
      name: string
      role: 'admin' | 'manager' | 'agent'
      status: 'active' | 'disabled'
      locale: string
      last_login_at: number | null
      created_at: number
      updated_at: number
    }
  }
  'POST /whatsapp/accounts': {
    body: {
      name: string
      provider?: 'cloud' | 'simulator'
      phone_number_id: string
      waba_id: string
      display_phone: string
      token: string
      app_secret: string
      verify_token: string
      graph_version?: string
      base_url?: string
      mps_limit?: number
    }
    answer: {
      id: string
      name: string
      provider: 'cloud' | 'simulator'
      phone_number_id: string
      waba_id: string
      display_phone: string
      graph_version: string
      base_url: string
      mps_limit: number
      status: 'active' | 'stopped'
      reason: string | null
      created_at: number
      updated_at: number
    }
  }
  'PUT /categories/{id}/contacts': {
    path: {
      id: string
    }
    body: {
      contact_ids: string[]
    }
    answer: {
      changed: number
      unknown: string[]
      contact_count: number
    }
  }
  'PUT /whatsapp/rates': {
    body: {
      rates: {
        category: string
        country: string
        currency: string
        micros: number
        free_per_month: number
        effective_from: number
      }[]
    }
    answer: {
      rates: {
        category: string
        country: string
        currency: string
        micros: number
        free_per_month: number
        effective_from: number
      }[]
      examples: boolean
      source: string | null
    }
  }
}
