#include "client/producer_engine.hpp"

#include "client/identity.hpp"
#include "client/outgoing.hpp"
#include "client/retry_policy.hpp"
#include "protocol/heartbeat.hpp"
#include "protocol/names.hpp"
#include "protocol/properties.hpp"

#include <algorithm>
#include <future>
#include <unistd.h>

namespace holdfast::client {

namespace {

timestamp_ms wall_clock() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return timestamp_ms{std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

send_error to_send_error(const call_failure& why) {
    switch (why.kind) {
    case call_failure_kind::unreachable:
        return {send_error_kind::unreachable, 0, why.text};
    case call_failure_kind::connection_lost:
        return {send_error_kind::connection_lost, 0, why.text};
    case call_failure_kind::timed_out:
        return {send_error_kind::timed_out, 0, why.text};
    case call_failure_kind::full:
        return {send_error_kind::too_many_in_flight, 0, why.text};
    case call_failure_kind::closed:
        return {send_error_kind::shut_down, 0, why.text};
    }
    return {send_error_kind::refused, 0, why.text};
}

send_error no_route(const error& why) {
    return {why.code == errc::not_found ? send_error_kind::no_route : send_error_kind::unreachable, 0,
            why.message};
}

send_error not_running() {
    return {send_error_kind::shut_down, 0, "the producer is not running: call start() first"};
}

bool has_leader(const known_route& route) {
    const auto leads = [](const protocol::broker_data& each) { return each.addresses.contains(0); };
    return std::any_of(route.source.brokers.begin(), route.source.brokers.end(), leads);
}

error no_leader(const std::string& topic) {
    return {errc::unavailable, "no broker of topic " + topic + " has a leader now"};
}

} // namespace

producer::engine::engine(producer_options options)
    : options_(std::move(options)),
      runtime_(options_.client),
      limit_(options_.max_in_flight, options_.max_in_flight_bytes),
      ids_(runtime_.local_address(), static_cast<std::uint16_t>(::getpid()), random_salt()) {}

result<void> producer::engine::start() {
    if (auto good = protocol::check_group_name(options_.group); !good)
        return error{good.failure().code, "producer group: " + good.failure().message};
    if (options_.max_in_flight == 0 || options_.max_in_flight > (1U << 23U) || options_.retries < 0 ||
        options_.compression_level < 1 || options_.compression_level > 9)
        return error{errc::invalid_argument,
                     "max_in_flight must be 1 to 8388608, retries at least 0, compression_level 1 to 9"};
    runtime_.on_heartbeat([body = protocol::encode_heartbeat({.client_id = runtime_.client_id(),
                                                              .producer_groups = {options_.group},
                                                              .consumers = {}})] { return body; });
    if (auto started = runtime_.start(); !started)
        return started;
    started_ = true;
    running_ = true;
    return {};
}

bool producer::engine::drain() {
    if (!running_.exchange(false))
        return false;
    limit_.close();
    limit_.wait_until_empty();
    return true;
}

void producer::engine::shutdown() {
    (void)drain();
    if (!started_.exchange(false))
        return;
    runtime_.unregister(options_.group, {});
    runtime_.stop();
}

std::optional<send_error> producer::engine::admit(std::size_t bytes) {
    if (!running_)
        return not_running();
    // The io thread must not wait for itself.
    const bool may_wait = options_.full == when_full::block && !runtime_.on_io_thread();
    const bool admitted =
        may_wait ? limit_.take(bytes, clock::now() + options_.send_timeout) : limit_.try_take(bytes);
    if (admitted)
        return std::nullopt;
    if (!running_)
        return not_running();
    return send_error{send_error_kind::too_many_in_flight, 0,
                      std::to_string(limit_.messages()) +
                          " messages wait for their answers (max_in_flight, max_in_flight_bytes)"};
}

void producer::engine::send(message outgoing, const queue_selector* select, send_callback done,
                            send_as kind) {
    if (auto good = check_message(outgoing, options_.max_message_bytes); !good)
        return done(send_error{send_error_kind::invalid, 0, good.failure().message});
    const auto deadline = clock::now() + options_.send_timeout;
    const std::size_t bytes = outgoing.body.size();
    if (auto refused = admit(bytes))
        return done(std::move(*refused));

    auto send = std::make_shared<pending_send>(shared_from_this());
    send->deadline = deadline;
    send->counted_bytes = bytes;
    send->done = std::move(done);
    send->tries_left = 1 + options_.retries;
    send->is_half = kind == send_as::half;
    if (auto route = route_at_once(outgoing.topic)) {
        start_on(send, std::move(route), std::move(outgoing), select);
        return;
    }
    // The selector and the message wait for the route; the caller's ones are gone by then.
    const std::string topic = outgoing.topic;
    in_turn(topic, deadline,
            [this, send, kept = std::make_shared<message>(std::move(outgoing)),
             chosen = select != nullptr ? *select : queue_selector{}](const result<route_ptr>& got) {
                if (!got)
                    return finish(*send, no_route(got.failure()));
                start_on(send, *got, std::move(*kept), chosen ? &chosen : nullptr);
            });
}

void producer::engine::start_on(const send_ptr& send, route_ptr route, message&& outgoing,
                                const queue_selector* select) {
    send->route = std::move(route);
    const std::size_t queues = send->route->writable.size();
    if (select != nullptr) {
        send->pinned = true;
        send->place = (*select)(send->route->writable_queues, outgoing);
        if (send->place >= queues)
            return finish(*send,
                          send_error{send_error_kind::invalid, 0,
                                     "the selector chose queue " + std::to_string(send->place) + " of " +
                                         std::to_string(queues) + "; it must return an index into them"});
    } else {
        send->place = send->route->next.fetch_add(1, std::memory_order_relaxed) % queues;
    }
    send->born = wall_clock();
    send->message_id = ids_.next(send->born);
    send->properties = make_properties(outgoing, send->message_id);
    send->flag = outgoing.flag;
    send->topic = std::move(outgoing.topic);
    send->body = std::move(outgoing.body);
    send->sys_flag = compress_body(send->body, options_);
    if (send->is_half) {
        protocol::append_property(send->properties, protocol::property::transaction_message, "true");
        protocol::append_property(send->properties, protocol::property::producer_group, options_.group);
        send->sys_flag |= protocol::sys_flag::transaction_prepared;
    }
    try_now(send);
}

void producer::engine::send_batch(std::span<const message> messages, send_callback done) {
    const timestamp_ms now = wall_clock();
    auto body = make_batch(messages, options_.max_message_bytes, ids_, now);
    if (!body)
        return done(send_error{send_error_kind::invalid, 0, body.failure().message});
    const auto deadline = clock::now() + options_.send_timeout;
    if (auto refused = admit(body->size()))
        return done(std::move(*refused));
    auto send = std::make_shared<pending_send>(shared_from_this());
    send->deadline = deadline;
    send->counted_bytes = body->size();
    send->done = std::move(done);
    send->tries_left = 1 + options_.retries;
    send->born = now;
    send->topic = messages.front().topic;
    send->body = std::move(*body);
    send->is_batch = true;
    in_turn(send->topic, deadline, [this, send](const result<route_ptr>& got) {
        if (!got)
            return finish(*send, no_route(got.failure()));
        send->route = *got;
        send->place =
            send->route->next.fetch_add(1, std::memory_order_relaxed) % send->route->writable.size();
        try_now(send);
    });
}

route_ptr producer::engine::route_at_once(const std::string& topic) {
    if (waiting_topics_.load(std::memory_order_acquire) != 0) {
        const std::lock_guard lock{waiting_mutex_};
        if (waiting_.contains(topic))
            return nullptr;
    }
    auto known = runtime_.routes().find(topic);
    return known != nullptr && !known->writable.empty() ? known : nullptr;
}

void producer::engine::in_turn(const std::string& topic, clock::time_point deadline,
                               runtime::route_handler handler) {
    {
        const std::lock_guard lock{waiting_mutex_};
        const auto [line, is_first] = waiting_.try_emplace(topic);
        line->second.push_back({deadline, std::move(handler)});
        if (!is_first)
            return;
        waiting_topics_.fetch_add(1, std::memory_order_release);
    }
    with_route(topic, [this, topic](const result<route_ptr>& got) {
        if (got || got.failure().code == errc::not_found)
            return serve_waiting(topic, got);
        leader_answered(topic, 0, got);
    });
}

// Until nobody waits: those who come meanwhile stand behind, also when the route is known by now.
void producer::engine::serve_waiting(const std::string& topic, const result<route_ptr>& got) {
    for (;;) {
        runtime::route_handler next;
        {
            const std::lock_guard lock{waiting_mutex_};
            const auto line = waiting_.find(topic);
            if (line->second.empty()) {
                waiting_.erase(line);
                waiting_topics_.fetch_sub(1, std::memory_order_release);
                return;
            }
            next = std::move(line->second.front().handler);
            line->second.pop_front();
        }
        next(got);
    }
}

// Calls `handler` with a route that has a writable queue; at once when one is known.
void producer::engine::with_route(const std::string& topic, runtime::route_handler handler) {
    if (auto known = runtime_.routes().find(topic); known != nullptr && !known->writable.empty())
        return handler(known);
    runtime_.fetch_route(topic, [this, topic, handler = std::move(handler)](const result<route_ptr>& got) {
        if (got && !(*got)->writable.empty())
            return handler(got);
        if (got && !has_leader(**got))
            return handler(no_leader(topic));
        if (got)
            return handler(error{errc::not_found, "topic " + topic +
                                                      " has no writable queue: check its permission with "
                                                      "`holdfast topic show`"});
        if (got.failure().code != errc::not_found)
            return handler(got);
        offer_route(topic, handler);
    });
}

// For the first message of a topic: the queues it will have.
void producer::engine::offer_route(const std::string& topic, const runtime::route_handler& handler,
                                   route_question ask) {
    const std::string pattern{protocol::auto_create_topic};
    (runtime_.*ask)(pattern, [this, topic, handler](const result<route_ptr>& offered) {
        const error none{errc::not_found, "topic " + topic +
                                              " does not exist and is not created by a first message here: "
                                              "create it with `holdfast topic create`"};
        if (!offered)
            return handler(offered.failure().code == errc::not_found ? none : offered.failure());
        auto route = make_provisional_route(topic, (*offered)->source, options_.default_topic_queues,
                                            runtime_.lookup());
        if (route->writable.empty())
            return handler(has_leader(*route) ? none : no_leader(topic));
        runtime_.routes().put(topic, route);
        handler(route);
    });
}

void producer::engine::try_now(const send_ptr& send) {
    --send->tries_left;
    ++send->tries;
    const placed_queue& to = send->route->writable[send->place];
    to.broker->start(send, send->deadline,
                     [&](byte_buffer& out, const protocol::call& how) { write(out, how, *send, to); });
}

void producer::engine::write(byte_buffer& out, const protocol::call& how, const pending_send& send,
                             const placed_queue& to) const {
    protocol::append_send_message(out, how,
                                  {.producer_group = options_.group,
                                   .topic = send.topic,
                                   .default_topic = protocol::auto_create_topic,
                                   .default_topic_queue_count = options_.default_topic_queues,
                                   .queue_id = static_cast<std::int32_t>(to.id.queue.value()),
                                   .sys_flag = send.sys_flag,
                                   .born = send.born,
                                   .flag = send.flag,
                                   .properties = send.properties,
                                   .max_reconsume_times = {},
                                   .is_batch = send.is_batch,
                                   .broker_name = to.id.broker_name,
                                   .body = as_bytes(send.body)});
}

void producer::engine::try_answered(std::shared_ptr<pending_send> send, const answer& reply) {
    const int code = reply.code();
    const auto verdict = judge_response(code);
    if (verdict != send_verdict::stored) {
        send_error why{verdict == send_verdict::not_confirmed ? send_error_kind::stored_but_not_confirmed
                                                              : send_error_kind::refused,
                       code, describe_response(code, reply.command().remark())};
        if (verdict == send_verdict::try_elsewhere)
            return try_again_or_fail(send, std::move(why));
        return finish(*send, std::move(why));
    }
    const auto header = protocol::decode_header<protocol::send_message_response>(reply.command());
    if (!header)
        return finish(*send, send_error{send_error_kind::stored_but_not_confirmed, 0,
                                        "the broker's receipt can't be read: " + header.failure().message});
    const auto& to = send->route->writable[send->place];
    if (send->route->provisional && !send->route->replacing.exchange(true))
        runtime_.suspect_route(send->topic);
    finish(*send, send_receipt{.message_id = std::move(send->message_id),
                               .offset_message_id = std::string{header->message_id},
                               .broker_name = to.id.broker_name,
                               .queue = queue_number{static_cast<std::uint32_t>(header->queue_id)},
                               .offset = header->offset,
                               .recall_handle = std::string{header->recall_handle}});
}

void producer::engine::try_failed(std::shared_ptr<pending_send> send, const call_failure& why) {
    send_error failure = to_send_error(why);
    if (!worth_another_try(failure.kind))
        return finish(*send, std::move(failure));
    try_again_or_fail(send, std::move(failure));
}

void producer::engine::try_again_or_fail(const send_ptr& send, send_error why) {
    if (clock::now() >= send->deadline)
        return finish(*send, std::move(why));
    const auto& queues = send->route->writable;
    const bool only_broker =
        send->pinned || queues.front().id.broker_name == queues.back().id.broker_name; // sorted
    // Without retries nothing is sent again, so that nothing can stand behind what was sent after it.
    if (is_fail_over(why) && options_.retries > 0 && (only_broker || send->tries_left <= 0)) {
        if (!send->last_failure || !send->last_failure->may_be_stored() || why.may_be_stored())
            send->last_failure = std::move(why);
        return wait_for_leader(send);
    }
    runtime_.suspect_route(send->topic);
    if (send->tries_left <= 0)
        return finish(*send, std::move(why));
    if (!send->pinned)
        choose_other_queue(*send);
    try_now(send);
}

// The next queue, of another broker if there is one (Java: MQFaultStrategy without latency).
void producer::engine::choose_other_queue(pending_send& send) {
    const message_queue failed = send.route->writable[send.place].id;
    if (auto newest = runtime_.routes().find(send.topic); newest != nullptr && !newest->writable.empty())
        send.route = std::move(newest);
    const auto& queues = send.route->writable;
    const std::size_t start = send.route->next.fetch_add(1, std::memory_order_relaxed);
    std::size_t other_queue = start % queues.size();
    for (std::size_t step = 0; step < queues.size(); ++step) {
        const std::size_t at = (start + step) % queues.size();
        if (queues[at].id.broker_name != failed.broker_name) {
            send.place = at;
            return;
        }
        if (queues[other_queue].id == failed)
            other_queue = at;
    }
    send.place = other_queue;
}

void producer::engine::finish(pending_send& send, const send_result& result) {
    if (!result && send.last_failure && send.tries > 1) {
        // Any try may have stored it, not only the last one.
        send_error all = result.failure();
        if (send.last_failure->may_be_stored() && !all.may_be_stored()) {
            all.kind = send.last_failure->kind;
            all.response_code = send.last_failure->response_code;
        }
        all.message += " (after " + std::to_string(send.tries) + " tries)";
        send.last_failure.reset();
        return finish(send, all);
    }
    limit_.give_back(send.counted_bytes);
    // Whoever waits in done may own what keeps this send alive: take it out first.
    const send_callback done = std::move(send.done);
    done(result);
}

result<void> producer::engine::send_oneway(message outgoing) {
    if (auto good = check_message(outgoing, options_.max_message_bytes); !good)
        return good;
    if (!running_)
        return error{errc::unavailable, not_running().message};
    auto route = wait_for_route(outgoing.topic);
    if (!route)
        return route.failure();
    pending_send send{nullptr};
    send.born = wall_clock();
    send.properties = make_properties(outgoing, ids_.next(send.born));
    send.flag = outgoing.flag;
    send.topic = std::move(outgoing.topic);
    send.body = std::move(outgoing.body);
    send.sys_flag = compress_body(send.body, options_);
    const auto& queues = (*route)->writable;
    const placed_queue& to = queues[(*route)->next.fetch_add(1, std::memory_order_relaxed) % queues.size()];
    const auto refused = to.broker->start_oneway(
        [&](byte_buffer& out, const protocol::call& how) { write(out, how, send, to); });
    if (refused)
        return error{errc::unavailable, refused->text};
    return {};
}

result<route_ptr> producer::engine::wait_for_route(const std::string& topic) {
    if (auto known = runtime_.routes().find(topic); known != nullptr && !known->writable.empty())
        return known;
    if (runtime_.on_io_thread())
        return error{errc::invalid_argument,
                     "the route of " + topic + " is not known yet, and a callback can't wait for it"};
    std::promise<result<route_ptr>> found;
    with_route(topic, [&](const result<route_ptr>& got) { found.set_value(got); });
    return found.get_future().get();
}

result<std::vector<message_queue>> producer::engine::queues(std::string_view topic) {
    if (!running_)
        return error{errc::unavailable, not_running().message};
    auto route = wait_for_route(std::string{topic});
    if (!route)
        return route.failure();
    return (*route)->writable_queues;
}

} // namespace holdfast::client
