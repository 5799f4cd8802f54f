// What a queue's answers mean: messages, nothing yet, another place to go on, or no.
#include "client/queue_puller.hpp"

#include "client/retry_policy.hpp"
#include "protocol/names.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::client {

namespace {

using protocol::response_code;

constexpr std::chrono::milliseconds flow_control_delay{20};
// "Nothing" sooner than this was not a long poll; several in a row are slowed down.
constexpr std::chrono::milliseconds quick_answer{5};
constexpr std::chrono::milliseconds most_nothing_delay{1'000};

} // namespace

void queue_puller::pulled(const call_outcome& outcome, const sent_pull& sent) {
    if (stopped_ || sent.round != round_ || sent.number != pull_)
        return;
    pulling_ = false;
    const auto code = outcome.reply != nullptr ? outcome.reply->command().response() : response_code{-1};
    const bool reached_queue = code == response_code::success || code == response_code::pull_not_found ||
                               code == response_code::pull_retry_immediately ||
                               code == response_code::pull_offset_moved;
    const bool by_follower = sent.follower != nullptr;
    if (by_follower && (!reached_queue || code == response_code::pull_offset_moved)) {
        distrust_follower();
        return pull();
    }
    if (!reached_queue)
        return refused(outcome);
    leaderless_tries_ = 0;
    const auto header = protocol::decode_header<protocol::pull_message_response>(outcome.reply->command());
    choose_broker(header.ok() ? header->suggest_broker_id : 0);
    if (!header) {
        if (by_follower)
            distrust_follower();
        context_.trouble({errc::malformed, "the answer to a pull of " + place_.id.topic +
                                               " can't be read: " + header.failure().message});
        return pull_after(context_.options.pull_error_delay);
    }
    if (code == response_code::pull_offset_moved)
        return offset_moved(*header);
    moved_once_ = false;
    if (code == response_code::success)
        return found(*outcome.reply, *header, by_follower);
    found_nothing(static_cast<int>(code), *header, sent.asked);
}

void queue_puller::found(const answer& reply, const protocol::pull_message_response& header,
                         bool by_follower) {
    quick_nothings_ = 0;
    const queue_offset first = next_;
    const queue_offset next = header.next_begin_offset;
    if (next <= first) {
        context_.trouble({errc::malformed, "the broker gave messages of " + place_.id.topic +
                                               " without saying where they end; pulling again"});
        if (by_follower)
            distrust_follower();
        return pull_after(context_.options.pull_error_delay);
    }
    next_ = next;
    const shared_bytes body = reply.share_body();
    // The next pull goes out before this answer is taken apart: the broker works on it meanwhile.
    pull();
    context_.client.post([self = shared_from_this(), round = round_, body, first, next, by_follower] {
        if (round == self->round_)
            self->take_records(body, first, next, by_follower);
    });
}

void queue_puller::take_records(const shared_bytes& body, queue_offset first, queue_offset next,
                                bool by_follower) {
    std::vector<pulled_record> records;
    records.reserve(static_cast<std::size_t>(context_.options.pull_batch_messages));
    protocol::stored_message_reader reader{body.view()};
    std::size_t position = 0;
    queue_offset expected = first;
    while (auto record = reader.next()) {
        if (!*record) {
            // What was read so far is good; the rest is asked for again, in a queue that begins there.
            context_.trouble(
                {errc::corrupted, "a pull of " + place_.id.topic +
                                      " brought records that can't be read: " + record->failure().message});
            if (by_follower)
                distrust_follower();
            ++round_;
            pulling_ = false;
            next = next_ = expected;
            pull_after(context_.options.pull_error_delay);
            break;
        }
        const protocol::stored_message_view& message = **record;
        const std::size_t at = std::exchange(position, position + message.size);
        if (message.offset < expected || message.offset >= next)
            continue;
        expected = message.offset + 1;
        if (!wanted_->filter.selects_all() &&
            !wanted_->filter.matches_tag(message.property(protocol::property::tags).value_or("")))
            continue;
        records.push_back({static_cast<std::uint32_t>(at), message.size, message.offset,
                           (message.sys_flag & protocol::sys_flag::compressed) != 0});
    }
    if (auto batch = queue_->add(body, std::move(records), next))
        context_.deliver(std::move(batch));
}

void queue_puller::found_nothing(int code, const protocol::pull_message_response& header,
                                 std::chrono::steady_clock::time_point asked) {
    const bool moved_on = header.next_begin_offset > next_;
    if (moved_on) {
        next_ = header.next_begin_offset;
        queue_->skip_to(next_);
    }
    const bool held = code == static_cast<int>(response_code::pull_not_found) &&
                      std::chrono::steady_clock::now() - asked >= quick_answer;
    quick_nothings_ = held || moved_on ? 0 : quick_nothings_ + 1;
    if (quick_nothings_ <= 1)
        return pull();
    const std::chrono::milliseconds delay{10U << std::min(quick_nothings_ - 2, 7U)};
    pull_after(std::min(delay, most_nothing_delay));
}

void queue_puller::offset_moved(const protocol::pull_message_response& header) {
    const queue_offset to = header.next_begin_offset;
    const bool is_reset = to != next_ && header.min_offset <= next_ && next_ <= header.max_offset &&
                          header.min_offset <= to && to <= header.max_offset;
    if (is_reset) {
        context_.trouble({errc::not_found, "queue " + std::to_string(place_.id.queue.value()) + " of " +
                                               place_.id.topic + " was reset to offset " +
                                               std::to_string(to.value())});
        return reset_to(to);
    }
    if (!std::exchange(moved_once_, true))
        return pull_after(context_.options.pull_error_delay);
    moved_once_ = false;
    context_.trouble({errc::not_found, "offset " + std::to_string(next_.value()) + " of queue " +
                                           std::to_string(place_.id.queue.value()) + " of " +
                                           place_.id.topic + " does not exist; the broker says to go on at " +
                                           std::to_string(to.value())});
    if (to < next_)
        return reset_to(to);
    next_ = to;
    queue_->skip_to(to);
    pull();
}

void queue_puller::refused(const call_outcome& outcome) {
    const int code = outcome.code();
    if (code == static_cast<int>(response_code::flow_control))
        return pull_after(flow_control_delay);
    if (code == static_cast<int>(response_code::subscription_not_exist) ||
        code == static_cast<int>(response_code::subscription_not_latest))
        context_.client.send_heartbeats();
    else if (!is_fail_over(outcome))
        context_.client.suspect_route(place_.id.topic);
    const error why = to_error(outcome);
    context_.trouble({why.code, "can't pull queue " + std::to_string(place_.id.queue.value()) + " of " +
                                    place_.id.topic + ", trying again: " + why.message});
    pull_after(is_fail_over(outcome) ? look_for_leader() : context_.options.pull_error_delay);
}

} // namespace holdfast::client
