#include "client/queue_puller.hpp"

#include "client/retry_policy.hpp"
#include "protocol/names.hpp"

#include <algorithm>
#include <limits>

namespace holdfast::client {

namespace {

using protocol::response_code;

// Brokers look at held pulls every 5 s or so: an answer may be that much later than asked for.
constexpr std::chrono::milliseconds poll_grace{15'000};
// How often is looked whether the message of a queue that begins anew is settled.
constexpr std::chrono::milliseconds turn_poll{50};
// How long a leader's suggestion to ask a follower is not followed after a follower failed.
constexpr std::chrono::seconds follower_distrust{30};

// One pull does not overrun what a queue may keep.
std::int32_t most_bytes(const push_consumer_options& options) {
    constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
    return static_cast<std::int32_t>(
        std::min({options.pull_batch_bytes, options.max_cached_bytes_per_queue, most}));
}

} // namespace

queue_puller::queue_puller(const puller_context& context, placed_queue place,
                           std::shared_ptr<const subscription> wanted, first_start start)
    : context_(context), place_(std::move(place)), first_start_(start), wanted_(std::move(wanted)) {}

bool queue_puller::needs_lock() const {
    return context_.options.ordered && context_.options.model == message_model::clustering;
}

void queue_puller::start() {
    if (!needs_lock()) {
        locked_until_ = process_queue::clock::time_point::max();
        locating_ = true;
        locate();
    }
}

void queue_puller::locked_until(process_queue::clock::time_point when) {
    const bool was_ours = is_locked();
    locked_until_ = when;
    if (was_ours && queue_ != nullptr) {
        queue_->trust_until(when);
        context_.feed(*queue_); // should a turn have been refused in the last moment
    }
    if (stopped_ || (was_ours && (locating_ || (queue_ != nullptr && !queue_->dropped()))))
        return;
    begin_anew();
}

void queue_puller::lock_refused() {
    locked_until_ = process_queue::clock::time_point::min();
    if (queue_ != nullptr)
        queue_->drop();
    locating_ = false;
    ++round_;
}

// Another member may have worked on the queue meanwhile.
void queue_puller::begin_anew() {
    if (queue_ != nullptr)
        queue_->drop();
    ++round_;
    locating_ = true;
    locate();
}

bool queue_puller::move_to(const std::shared_ptr<connection>& broker) {
    if (place_.broker == broker)
        return false;
    place_.broker = broker;
    follower_ = nullptr;
    leaderless_tries_ = 0;
    go_on();
    return true;
}

void queue_puller::go_on() {
    if (stopped_)
        return;
    if (locating_) {
        ++round_;
        return locate();
    }
    if (queue_ == nullptr || queue_->dropped() || paused_)
        return;
    if (pulling_ &&
        (pulled_from_ == place_.broker.get() || (follower_ != nullptr && pulled_from_ != nullptr)))
        return;
    pulling_ = false;
    pull();
}

std::chrono::milliseconds queue_puller::look_for_leader() {
    context_.leader_lost(place_.id.topic);
    return std::min(leader_search_pause(leaderless_tries_++), context_.options.pull_error_delay);
}

void queue_puller::leave() {
    stopped_ = true;
    leaving_ = true;
    if (queue_ == nullptr)
        return;
    queue_->close();
    queue_->turn().withdraw();
}

void queue_puller::locate() {
    if (stopped_)
        return;
    if (context_.options.model == message_model::broadcasting) {
        const auto kept = context_.local_offset(place_.id);
        return kept ? begin(*kept) : locate_by_rule();
    }
    protocol::query_consumer_offset_request request{.consumer_group = context_.options.group,
                                                    .topic = place_.id.topic,
                                                    .queue = place_.id.queue,
                                                    .set_zero_if_not_found = {}};
    if (first_start_ == first_start::by_option && context_.options.from != consume_from::first)
        request.set_zero_if_not_found = false;
    ask(*place_.broker, request, {}, context_.client.options().request_timeout,
        [self = shared_from_this(), round = round_](const call_outcome& outcome) {
            if (self->stopped_ || round != self->round_)
                return;
            // Only this code says that nothing is stored; anything else says nothing (T1).
            if (outcome.code() == static_cast<int>(response_code::query_not_found))
                return self->locate_by_rule();
            const auto stored = header_of<protocol::offset_response>(outcome);
            if (!stored || stored->offset.value() < 0)
                return self->locate_later(stored ? error{errc::malformed, "a negative offset is stored"}
                                                 : stored.failure(),
                                          is_fail_over(outcome));
            self->begin(stored->offset);
        });
}

void queue_puller::locate_by_rule() {
    const consume_from from = context_.options.from;
    // What came back for a retry is always wanted.
    if (from == consume_from::first || protocol::is_retry_topic(place_.id.topic))
        return begin(queue_offset{0});
    const auto started = [self = shared_from_this(), round = round_](const call_outcome& outcome) {
        if (self->stopped_ || round != self->round_)
            return;
        const auto offset = header_of<protocol::offset_response>(outcome);
        if (!offset)
            return self->locate_later(offset.failure(), is_fail_over(outcome));
        const auto first = std::max(offset->offset, queue_offset{0});
        if (self->is_locked())
            self->context_.store_offset(self->place_, first);
        self->begin(first);
    };
    const auto timeout = context_.client.options().request_timeout;
    if (from == consume_from::last) {
        const protocol::get_max_offset_request request{.topic = place_.id.topic, .queue = place_.id.queue};
        ask(*place_.broker, request, {}, timeout, started);
    } else {
        const protocol::search_offset_request request{.topic = place_.id.topic,
                                                      .queue = place_.id.queue,
                                                      .timestamp = context_.options.from_time,
                                                      .boundary = {}};
        ask(*place_.broker, request, {}, timeout, started);
    }
}

void queue_puller::locate_later(const error& why, bool leader_is_lost) {
    context_.trouble({why.code, "can't find where to begin in queue " +
                                    std::to_string(place_.id.queue.value()) + " of " + place_.id.topic +
                                    ", asking again: " + why.message});
    auto pause = context_.options.pull_error_delay;
    if (leader_is_lost)
        pause = look_for_leader();
    else
        context_.client.suspect_route(place_.id.topic);
    context_.client.after(pause, [self = shared_from_this(), round = round_] {
        if (round == self->round_)
            self->locate();
    });
}

void queue_puller::begin(queue_offset first) {
    if (stopped_)
        return;
    if (is_in_work()) {
        context_.client.after(turn_poll, [self = shared_from_this(), round = round_, first] {
            if (round == self->round_)
                self->begin(first);
        });
        return;
    }
    locating_ = false;
    queue_ = std::make_shared<process_queue>(place_.id, first, context_.sink,
                                             context_.options.ordered ? delivery_order::one_by_one
                                                                      : delivery_order::any);
    queue_->trust_until(locked_until_);
    next_ = first;
    ++round_;
    pulling_ = false;
    paused_ = false;
    moved_once_ = false;
    follower_ = nullptr;
    pull();
}

std::optional<queue_offset> queue_puller::drop() {
    stopped_ = true;
    ++round_;
    return queue_ != nullptr ? queue_->drop() : std::nullopt;
}

void queue_puller::reset_to(queue_offset offset) {
    if (queue_ != nullptr)
        queue_->drop();
    ++round_;
    if (is_locked())
        context_.store_offset(place_, offset);
    begin(offset);
}

bool queue_puller::room_above(std::size_t divisor) const {
    const push_consumer_options& options = context_.options;
    return queue_->cached_messages() <= options.max_cached_messages_per_queue / divisor &&
           queue_->cached_bytes() <= options.max_cached_bytes_per_queue / divisor &&
           context_.sink->cached_bytes.load() <= options.max_cached_bytes / divisor &&
           next_ - queue_->committable() <= options.max_unacknowledged_span;
}

void queue_puller::resume() {
    if (!paused_)
        return;
    context_.anyone_paused.store(true);
    if (!room_above(2))
        return;
    paused_ = false;
    pull();
}

void queue_puller::pull() {
    // Without the lock it begins anew when the lock is back.
    if (stopped_ || pulling_ || !is_locked())
        return;
    if (!room_above(1)) {
        // Announced before the second look: room made between the two would tell nobody otherwise.
        context_.anyone_paused.store(true);
        paused_ = !room_above(1);
        if (paused_)
            return;
    }
    pulling_ = true;
    const push_consumer_options& options = context_.options;
    const protocol::pull_message_request request{
        .consumer_group = options.group,
        .topic = place_.id.topic,
        .queue = place_.id.queue,
        .offset = next_,
        .max_messages = options.pull_batch_messages,
        .sys_flag = protocol::pull_flag::subscription |
                    (follower_ == nullptr ? protocol::pull_flag::suspend : std::int32_t{0}),
        .commit_offset = queue_offset{0},
        .suspend_timeout_ms = options.poll_timeout.count(),
        .subscription = wanted_->expression,
        .subscription_version = wanted_->version,
        .expression_type = "TAG",
        .max_message_bytes = most_bytes(options),
        .broker_name = place_.id.broker_name,
    };
    const auto& whom = follower_ == nullptr ? place_.broker : follower_;
    pulled_from_ = whom.get();
    const sent_pull sent{round_, ++pull_, follower_, std::chrono::steady_clock::now()};
    const auto timeout =
        follower_ == nullptr ? options.poll_timeout + poll_grace : context_.client.options().request_timeout;
    ask(*whom, request, {}, timeout,
        [self = shared_from_this(), sent](const call_outcome& outcome) { self->pulled(outcome, sent); });
}

// Only for the next pull: every answer says it anew.
void queue_puller::choose_broker(std::int64_t id) {
    const bool wants_leader = id == 0 || std::chrono::steady_clock::now() < followers_distrusted_until_;
    const auto route = wants_leader ? nullptr : context_.client.routes().find(place_.id.topic);
    follower_ =
        route == nullptr ? nullptr : node_of(*route, place_.id.broker_name, id, context_.client.lookup());
}

void queue_puller::distrust_follower() {
    follower_ = nullptr;
    followers_distrusted_until_ = std::chrono::steady_clock::now() + follower_distrust;
}

void queue_puller::pull_after(std::chrono::milliseconds delay) {
    pulling_ = true;
    pulled_from_ = nullptr;
    context_.client.after(delay, [self = shared_from_this(), round = round_, number = ++pull_] {
        if (round != self->round_ || number != self->pull_)
            return;
        self->pulling_ = false;
        self->pull();
    });
}

} // namespace holdfast::client
