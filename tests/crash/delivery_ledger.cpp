#include "tests/crash/delivery_ledger.hpp"

#include "protocol/names.hpp"

#include <chrono>

namespace holdfast::crash {
namespace {

constexpr std::uint32_t sender = 7; // of all bodies
constexpr std::size_t name_bytes = 8;

} // namespace

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::vector<queue_place> delivery_ledger::places() const {
    std::vector<queue_place> all;
    for (std::int32_t queue = 0; queue < queues_; ++queue)
        all.push_back({topic_, queue});
    all.push_back({protocol::retry_topic_of(group), 0});
    return all;
}

std::uint32_t delivery_ledger::add(entry one) {
    const std::lock_guard lock{mutex_};
    entries_.push_back(one);
    return static_cast<std::uint32_t>(entries_.size() - 1);
}

std::uint32_t delivery_ledger::new_plain() {
    return add({});
}
std::uint32_t delivery_ledger::new_delayed(std::int64_t delay_ms) {
    return add({.what = kind::delayed, .due_ms = now_ms() + delay_ms});
}
std::uint32_t delivery_ledger::new_transaction(bool commits) {
    return add({.what = kind::transaction, .commits = commits});
}

std::string delivery_ledger::body_of(std::uint32_t number) {
    return make_body({sender, number}, name_bytes + number % 200);
}

void delivery_ledger::answered(std::uint32_t number) {
    const std::lock_guard lock{mutex_};
    entries_[number].answered = true;
}
void delivery_ledger::recall_tried(std::uint32_t number) {
    const std::lock_guard lock{mutex_};
    entries_[number].recall_tried = true;
}
void delivery_ledger::recalled(std::uint32_t number) {
    const std::lock_guard lock{mutex_};
    entries_[number].recalled = true;
    if (entries_[number].deliveries != 0)
        fail(text_of(number) + " was delivered, and then the recall was answered OK");
}
void delivery_ledger::decided(std::uint32_t number) {
    const std::lock_guard lock{mutex_};
    entries_[number].decided = true;
}

client::transaction_decision delivery_ledger::decision(std::uint32_t number) {
    const std::lock_guard lock{mutex_};
    entry& one = entries_[number];
    one.commit_said = one.commits;
    return one.commits ? client::transaction_decision::commit : client::transaction_decision::rollback;
}

client::transaction_decision delivery_ledger::check(std::string_view body) {
    const std::lock_guard lock{mutex_};
    std::uint32_t number = 0;
    entry* const one = find(body, number);
    if (one == nullptr || ++checks_ % 5 == 0)
        return client::transaction_decision::unknown;
    if (one->commits == one->decided)
        return client::transaction_decision::rollback;
    one->commit_said = true;
    return client::transaction_decision::commit;
}

void delivery_ledger::fail(const std::string& problem) {
    if (problem_.empty())
        problem_ = problem;
}

std::string delivery_ledger::text_of(std::uint32_t number) const {
    const entry& one = entries_[number];
    std::string text = "message " + std::to_string(number) + " (";
    text += one.what == kind::plain     ? "plain"
            : one.what == kind::delayed ? "delayed, due " + std::to_string(one.due_ms)
            : one.commits               ? "transaction, commit"
                                        : "transaction, rollback";
    text += one.answered ? ", answered" : ", not answered";
    text += one.decided ? ", decision durable" : "";
    text += one.recalled ? ", recalled" : one.recall_tried ? ", recall tried" : "";
    text += one.comes_again ? ", has to come again" : "";
    return text + ", delivered " + std::to_string(one.deliveries) + " times:" + one.history + ")";
}

delivery_ledger::entry* delivery_ledger::find(std::string_view body, std::uint32_t& number) {
    if (body.size() >= name_bytes) {
        const auto name = load_big<std::uint64_t>(reinterpret_cast<const std::byte*>(body.data()));
        number = static_cast<std::uint32_t>(name);
        if (name >> 32U == sender && number < entries_.size() && body == body_of(number))
            return &entries_[number];
    }
    fail("a body of " + std::to_string(body.size()) + " bytes that nobody sent");
    return nullptr;
}

void delivery_ledger::check_allowed(std::uint32_t number, const entry& one, std::int64_t seen_ms,
                                    const std::string& where) {
    const auto what = [&] { return text_of(number) + where; };
    if (!one.commits)
        fail(what() + " is rolled back and was seen");
    if (one.what == kind::transaction && !one.commit_said)
        fail(what() + " is undecided and was seen");
    if (one.recalled)
        fail(what() + " was recalled and was seen");
    if (seen_ms < one.due_ms)
        fail(what() + " came " + std::to_string(one.due_ms - seen_ms) + " ms before its time");
}

bool delivery_ledger::promised(const entry& one) {
    return one.answered && one.commits && !one.recall_tried;
}

void delivery_ledger::told(std::uint64_t member, const told_delivery& one) {
    const std::lock_guard lock{mutex_};
    if (one.says == word::acknowledged_later)
        return acknowledged_later(one);
    order_.note(member, one);
    delivered(one);
}

void delivery_ledger::delivered(const told_delivery& told) {
    const auto seen_ms = now_ms();
    std::uint32_t number = 0;
    entry* const one = find(told.body, number);
    if (one == nullptr)
        return;
    ++one->deliveries;
    ++deliveries_;
    if (told.says == word::sent_back)
        ++sent_back_;
    const std::pair place{told.from, told.offset};
    if (told.says == word::acknowledged)
        acknowledged_.insert(place);
    one->comes_again = !acknowledged_.contains(place);
    const auto where = " at " + told.from.topic + ":" + std::to_string(told.from.queue) + " offset " +
                       std::to_string(told.offset);
    one->history += where +
                    (told.says == word::acknowledged ? " acknowledged"
                     : told.says == word::sent_back  ? " sent back"
                                                     : " held") +
                    " at " + std::to_string(seen_ms) + ";";
    check_allowed(number, *one, seen_ms, where);
    if (const auto next = confirmed_.find(told.from); next != confirmed_.end() && told.offset < next->second)
        fail(text_of(number) + where + " came again, and the group's offset was confirmed at " +
             std::to_string(next->second));
}

void delivery_ledger::acknowledged_later(const told_delivery& told) {
    acknowledged_.emplace(told.from, told.offset);
    std::uint32_t number = 0;
    if (entry* const one = find(told.body, number); one != nullptr)
        one->comes_again = false;
}

void delivery_ledger::group_is_empty() {
    const std::lock_guard lock{mutex_};
    acknowledged_.clear();
}

void delivery_ledger::confirmed(const queue_place& queue, std::int64_t next) {
    const std::lock_guard lock{mutex_};
    auto& known = confirmed_[queue];
    if (next < known)
        fail("the group's offset of " + queue.topic + ":" + std::to_string(queue.queue) + " was " +
             std::to_string(known) + " and is " + std::to_string(next));
    known = next;
}

std::size_t delivery_ledger::missing() {
    const std::lock_guard lock{mutex_};
    std::size_t count = 0;
    for (const entry& one : entries_)
        count += is_missing(one) ? 1 : 0;
    return count;
}

std::string delivery_ledger::missing_in_words() {
    const std::lock_guard lock{mutex_};
    std::string text;
    std::size_t count = 0;
    for (std::uint32_t number = 0; number < entries_.size(); ++number)
        if (is_missing(entries_[number]) && ++count <= 10)
            text += text_of(number) + "\n";
    return std::to_string(count) + " messages did not come, or not again; the first:\n" + text;
}

std::string delivery_ledger::problem() {
    const std::lock_guard lock{mutex_};
    return problem_;
}

std::string delivery_ledger::problem_of_order() {
    const std::lock_guard lock{mutex_};
    return order_.problem(false);
}

std::string delivery_ledger::scan(const server_address& broker) {
    const std::lock_guard lock{mutex_};
    wire_client client{broker};
    std::vector<std::uint32_t> found(entries_.size());
    for (const auto& queue : places())
        if (queue.topic == topic_)
            scan_queue(client, queue, found);
    for (std::uint32_t number = 0; number < entries_.size() && problem_.empty(); ++number) {
        if (found[number] > 1)
            fail(text_of(number) + " stands in the queues " + std::to_string(found[number]) + " times");
        if (found[number] == 0 && promised(entries_[number]))
            fail(text_of(number) + " is in no queue");
        if (found[number] == 0 && entries_[number].deliveries != 0)
            fail(text_of(number) + " was delivered and is in no queue");
    }
    return problem_;
}

void delivery_ledger::scan_queue(wire_client& client, const queue_place& queue,
                                 std::vector<std::uint32_t>& found) {
    const queue_number number{static_cast<std::uint32_t>(queue.queue)};
    const auto most = client.ask(protocol::get_max_offset_request{.topic = queue.topic, .queue = number});
    if (!most || !most->ok())
        return fail(queue.topic + ": no max offset");
    const auto last = protocol::decode_header<protocol::offset_response>(most->command)->offset.value();
    for (std::int64_t next = 0; next < last && problem_.empty();) {
        const auto got =
            client.ask(protocol::pull_message_request{.consumer_group = "scan",
                                                      .topic = queue.topic,
                                                      .queue = number,
                                                      .offset = queue_offset{next},
                                                      .max_messages = 1024,
                                                      .sys_flag = protocol::pull_flag::subscription,
                                                      .subscription = "*"});
        if (!got || !got->ok())
            return fail(queue.topic + " can't be read at offset " + std::to_string(next) + " of " +
                        std::to_string(last));
        protocol::stored_message_reader records{got->command.body()};
        while (const auto record = records.next()) {
            if (!record->ok())
                return fail(queue.topic + ": " + record->failure().message);
            if ((*record)->offset.value() != next++)
                return fail(queue.topic + ": a record says another offset than " + std::to_string(next - 1));
            scan_record(queue, **record, found);
        }
    }
}

void delivery_ledger::scan_record(const queue_place& queue, const protocol::stored_message_view& record,
                                  std::vector<std::uint32_t>& found) {
    std::uint32_t number = 0;
    const entry* const one = find(as_text(record.body), number);
    if (one == nullptr)
        return;
    ++found[number];
    const auto where = " at " + queue.topic + ":" + std::to_string(queue.queue) + " offset " +
                       std::to_string(record.offset.value());
    check_allowed(number, *one, record.stored.value(), where);
    const auto stage = record.sys_flag & protocol::sys_flag::transaction_mask;
    if (stage != (one->what == kind::transaction ? protocol::sys_flag::transaction_commit : 0))
        fail(text_of(number) + where + " has sysFlag " + std::to_string(record.sys_flag));
}

delivery_ledger::counts& delivery_ledger::counts::operator+=(const counts& more) {
    plain += more.plain;
    delayed += more.delayed;
    commits += more.commits;
    rollbacks += more.rollbacks;
    unanswered += more.unanswered;
    unanswered_seen += more.unanswered_seen;
    decisions_durable += more.decisions_durable;
    checks += more.checks;
    recalled += more.recalled;
    deliveries += more.deliveries;
    sent_back += more.sent_back;
    again += more.again;
    acks_confirmed += more.acks_confirmed;
    return *this;
}

std::string delivery_ledger::counts::text() const {
    const auto n = [](std::uint64_t count) { return std::to_string(count); };
    return "answered OK: " + n(plain) + " plain, " + n(delayed) + " delayed (" + n(recalled) +
           " of them recalled), " + n(commits) + " transactions to commit and " + n(rollbacks) +
           " to roll back; not answered: " + n(unanswered) + ", of which " + n(unanswered_seen) + " came; " +
           n(decisions_durable) + " decisions confirmed, " + n(checks) + " checks; " + n(deliveries) +
           " deliveries, " + n(again) + " of them not the first, " + n(sent_back) + " sent back; " +
           n(acks_confirmed) + " offsets confirmed";
}

delivery_ledger::counts delivery_ledger::sums() {
    const std::lock_guard lock{mutex_};
    counts all;
    for (const entry& one : entries_) {
        auto& sort = one.what == kind::plain     ? all.plain
                     : one.what == kind::delayed ? all.delayed
                     : one.commits               ? all.commits
                                                 : all.rollbacks;
        auto& where = one.answered ? sort : all.unanswered;
        ++where;
        all.unanswered_seen += !one.answered && one.deliveries != 0 ? 1 : 0;
        all.decisions_durable += one.decided ? 1 : 0;
        all.recalled += one.recalled ? 1 : 0;
        all.again += one.deliveries > 1 ? one.deliveries - 1 : 0;
    }
    all.checks = checks_;
    all.deliveries = deliveries_;
    all.sent_back = sent_back_;
    for (const auto& [queue, next] : confirmed_)
        all.acks_confirmed += static_cast<std::uint64_t>(next);
    return all;
}

} // namespace holdfast::crash
