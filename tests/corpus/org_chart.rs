//! org_chart: builds a tree of employees per request; each knows its manager and its reports by Rc. With `fixed` the way up is Weak.
//!
//! The two strong references keep each other alive: no tree is ever dropped.

#[path = "service.rs"]
mod service;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

thread_local!(static LIVING: Cell<u64> = const { Cell::new(0) });

struct Employee {
    salary: u64,
    _manager: Option<Rc<Employee>>,
    _manager_weak: Weak<Employee>,
    reports: RefCell<Vec<Rc<Employee>>>,
}

impl Drop for Employee {
    fn drop(&mut self) {
        LIVING.with(|living| living.set(living.get() - 1));
    }
}

#[inline(never)]
fn hire(salary: u64, manager: Option<&Rc<Employee>>) -> Rc<Employee> {
    LIVING.with(|living| living.set(living.get() + 1));
    let (manager_now, manager_weak) = match manager {
        Some(manager) if cfg!(fixed) => (None, Rc::downgrade(manager)),
        other => (other.cloned(), Weak::new()), // the bug
    };
    let reports = RefCell::default();
    let hired = Employee { salary, _manager: manager_now, _manager_weak: manager_weak, reports };
    let employee = Rc::new(hired); // LEAK hire
    if let Some(manager) = manager {
        manager.reports.borrow_mut().push(employee.clone()); // LEAK hire
    }
    employee
}

fn payroll(size: u64) -> u64 {
    let head = hire(9_000, None);
    for number in 0..size {
        hire(3_000 + number, Some(&head));
    }
    let reports = head.reports.borrow();
    head.salary + reports.iter().map(|employee| employee.salary).sum::<u64>()
}

fn main() {
    let mut service = service::Service::new(60.0);
    let mut sum = 0;
    while service.next() {
        sum += payroll(2 + service.requests % 4);
        service.work();
    }
    assert!(sum > 0);
    service.end(LIVING.with(Cell::get), 0);
}
